package report

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
)

// WriteHTML writes one page with charts that needs no network and no script.
func (r *Report) WriteHTML(w io.Writer) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"group": Group, "millis": Millis, "share": share,
		"since": func(t *float64, from float64) string { return since(t, from) },
		"pct":   func(f float64) string { return fmt.Sprintf("%.1f", 100*f) },
		"sum":   func(a, b int64) int64 { return a + b },
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("bug: %w", err)
	}
	var summary bytes.Buffer
	if r.Fault != nil {
		r.WriteFailover(&summary, Style{})
	} else {
		r.WriteText(&summary, Style{})
	}
	return t.Execute(w, map[string]any{
		"R": r, "All": r.all(), "Charts": r.charts(), "Summary": summary.String(), "Columns": r.percentColumns(), "Ops": sortedOps(r.Ops),
	})
}

// page is the template: text first, one column, charts that scale with the window.
const page = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mcbench {{.R.Command}} {{.R.Started.Format "2006-01-02 15:04:05"}}</title>
<style>
:root { --fg:#1b1f24; --soft:#59636e; --bg:#ffffff; --card:#f6f8fa; --line:#d8dee4; --band:#f8d7a055; --bandtext:#8a5a00;
  --c0:#1f6feb; --c1:#d1570a; --c2:#1a7f37; --c3:#8250df; --c4:#bf3989; --c5:#57606a; --good:#1a7f37; --bad:#cf222e; }
@media (prefers-color-scheme: dark) { :root { --fg:#e6edf3; --soft:#9198a1; --bg:#0d1117; --card:#151b23; --line:#30363d; --band:#9e6a0355;
  --bandtext:#e3b341; --c0:#58a6ff; --c1:#f0883e; --c2:#3fb950; --c3:#bc8cff; --c4:#f778ba; --c5:#8b949e; --good:#3fb950; --bad:#f85149; } }
* { box-sizing:border-box; }
body { margin:0; background:var(--bg); color:var(--fg); font:15px/1.5 system-ui, sans-serif; }
main { max-width:960px; margin:0 auto; padding:24px 16px 48px; }
h1 { font-size:22px; margin:0 0 4px; } h2 { font-size:16px; margin:0; }
p { margin:4px 0 0; } .soft { color:var(--soft); font-size:13px; }
.tiles { display:grid; grid-template-columns:repeat(auto-fit,minmax(130px,1fr)); gap:10px; margin:18px 0; }
.tile { background:var(--card); border:1px solid var(--line); border-radius:8px; padding:10px 12px; }
.tile b { display:block; font-size:20px; font-variant-numeric:tabular-nums; }
.tile h3 { font-size:13px; margin:0 0 2px; color:var(--soft); font-weight:600; }
.good { color:var(--good); } .bad { color:var(--bad); }
figure { margin:22px 0 0; padding:14px 14px 6px; border:1px solid var(--line); border-radius:8px; }
figcaption p { margin:0; }
.plot svg { width:100%; min-width:560px; height:auto; display:block; }
.grid { stroke:var(--line); stroke-width:1; } .tick { fill:var(--soft); font-size:12px; } .band { fill:var(--band); } .bandtext { fill:var(--bandtext); font-size:12px; }
.line { fill:none; stroke-width:2; stroke-linejoin:round; } .dash { stroke-dasharray:5 4; stroke-width:1.5; }
.c0 { stroke:var(--c0); } .c1 { stroke:var(--c1); } .c2 { stroke:var(--c2); } .c3 { stroke:var(--c3); } .c4 { stroke:var(--c4); } .c5 { stroke:var(--c5); }
ul.legend { list-style:none; display:flex; flex-wrap:wrap; gap:4px 18px; padding:0; margin:6px 0 0; font-size:13px; }
.legend svg { width:26px; height:10px; display:inline-block; margin-right:6px; }
.scroll { overflow-x:auto; }
table { border-collapse:collapse; margin-top:22px; width:100%; font-variant-numeric:tabular-nums; font-size:14px; }
th, td { text-align:right; padding:5px 8px; border-bottom:1px solid var(--line); white-space:nowrap; } th:first-child, td:first-child { text-align:left; }
th { color:var(--soft); font-weight:600; }
pre { background:var(--card); border:1px solid var(--line); border-radius:8px; padding:12px; overflow-x:auto; font-size:12.5px; line-height:1.4; }
details { margin-top:22px; } summary { cursor:pointer; font-weight:600; }
</style>
</head>
<body><main>
<h1>mcbench {{.R.Command}}{{with .R.Fault}}: {{.Kind}} of {{.Server}}{{end}}</h1>
<p class="soft">{{.R.Started.Format "2006-01-02 15:04:05 MST"}} &middot; {{.R.Config.Loop}} loop{{if .R.Config.Rate}}, {{printf "%.0f" .R.Config.Rate}}/s{{if .R.Others}} per client{{end}}{{end}} &middot; {{len .R.Config.Servers}} servers{{if .R.Config.Embedded}} (embedded){{end}} &middot; {{.R.Config.Workload}}</p>
<div class="tiles">
{{range .All}}<div class="tile"><h3>{{.Client}}: failed</h3><b class="{{if .Totals.Failed}}bad{{else}}good{{end}}">{{group .Totals.Failed}}</b><span class="soft">of {{group (sum .Totals.Sent .Totals.NotSent)}}</span></div>
<div class="tile"><h3>{{.Client}}: p99</h3><b>{{millis (index .Percentiles.response "99")}} ms</b><span class="soft">worst {{millis .Totals.MaxMS}} ms</span></div>
{{end}}{{range .All}}{{$c := .Client}}{{with .Fault}}{{if .Eject}}<div class="tile"><h3>{{$c}}: ejected after</h3><b>{{since .Eject .At}}</b><span class="soft">back {{since .Back .Until}} after the heal</span></div>
{{else}}<div class="tile"><h3>{{$c}}: last failure</h3><b>{{since .LastFail .At}}</b><span class="soft">after the fault</span></div>
{{end}}{{end}}{{end}}{{if not .R.Fault}}<div class="tile"><h3>completed</h3><b>{{printf "%.0f" .R.Totals.DonePS}}/s</b><span class="soft">in {{printf "%.1f" .R.Totals.ElapsedS}} s</span></div>
{{end}}</div>
{{range .Charts}}<figure><figcaption><h2>{{.Title}}</h2><p class="soft">{{.Note}}</p></figcaption>
<div class="scroll plot">{{.SVG}}</div>
<ul class="legend">{{range .Legend}}<li><svg viewBox="0 0 26 10"><path class="line {{.Class}}" d="M0 5L26 5"/></svg>{{.Name}}</li>{{end}}</ul></figure>
{{end}}
<div class="scroll"><table><thead><tr><th>operation</th><th>count</th><th>failed</th>{{range .Columns}}<th>p{{.}} ms</th>{{end}}<th>worst ms</th></tr></thead><tbody>
{{$columns := .Columns}}{{range .All}}{{$client := .Client}}{{range $name, $op := .Ops}}<tr><td>{{$client}} {{$name}}</td><td>{{group $op.Count}}</td><td>{{group $op.Failed}}</td>{{range $columns}}<td>{{millis (index $op.MS .)}}</td>{{end}}<td>{{millis $op.MaxMS}}</td></tr>
{{end}}{{end}}</tbody></table></div>
{{range .All}}{{if .Events}}<details><summary>{{.Client}}: {{len .Events}} events</summary><div class="scroll"><table><tbody>{{range .Events}}<tr><td>{{printf "%.2f" .T}} s</td><td style="text-align:left;width:100%">{{.Server}} {{.What}}</td></tr>{{end}}</tbody></table></div></details>
{{end}}{{end}}<details><summary>Summary as text</summary><pre>{{.Summary}}</pre></details>
<p class="soft" style="margin-top:22px">{{.R.Env.Kernel}}, {{.R.Env.CPUs}} cores, load {{printf "%.2f" .R.Env.Load1}}, {{.R.Env.Go}}. Seed {{.R.Config.Seed}}.</p>
</main></body></html>
`
