package trace

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
)

const sample = `3,nz:u:a,12,100,7,get,0
3,nz:u:b,30,0,7,gets,0

4,nz:u:a,12,100,8,set,600
5,k,with,commas,13,5,8,decr,0
5,nz:u:b,30,20,8,cas,99999999
`

func TestReadKeepsWhatATraceTells(t *testing.T) {
	tr, err := Read(strings.NewReader(sample), 100)
	if err != nil {
		t.Fatal(err)
	}
	want := []Record{
		{3, 0, 100, 0, workload.Get},
		{3, 1, 0, 0, workload.Get},
		{4, 0, 100, 600, workload.Set},
		{5, 2, 5, 0, workload.Incr},
		{5, 1, 20, 2592000, workload.CAS},
	}
	if !slices.Equal(tr.Records, want) {
		t.Errorf("records %+v", tr.Records)
	}
	if len(tr.Keys) != 3 || len(tr.Keys[0]) != 12 || len(tr.Keys[1]) != 30 || len(tr.Keys[2]) != 13 {
		t.Errorf("keys %q", tr.Keys)
	}
	if tr, err := Read(strings.NewReader(sample), 2); err != nil || len(tr.Records) != 2 {
		t.Errorf("limit 2: %d records, %v", len(tr.Records), err)
	}
}

func TestBadLinesAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"1,a,3":             "line 1: 3 columns",
		"\n1,a,3,x,c,get,0": `line 2: strconv.Atoi: parsing "x"`,
		"1,a,3,1,c,fly,0":   `unknown operation "fly"`,
		"now,a,3,1,c,get,0": `parsing "now"`,
	} {
		if _, err := Read(strings.NewReader(text), 10); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := Read(strings.NewReader("\n\n"), 10); !errors.Is(err, ErrEmpty) {
		t.Errorf("empty: %v", err)
	}
}

func TestDueTimesStayInTheirSecond(t *testing.T) {
	var b strings.Builder
	for second := range 5 {
		b.WriteString(strings.Repeat(string(rune('0'+second))+",k,5,1,c,get,0\n", 100))
	}
	tr, err := Read(strings.NewReader(b.String()), 1000)
	if err != nil {
		t.Fatal(err)
	}
	due := tr.Due(10, 1)
	if !slices.IsSorted(due) || !slices.Equal(due, tr.Due(10, 1)) || slices.Equal(due, tr.Due(10, 2)) {
		t.Error("due times are not sorted or do not follow the seed")
	}
	for i, d := range due {
		second := time.Duration(i/100) * 100 * time.Millisecond // ten times as fast
		if d < second || d >= second+100*time.Millisecond {
			t.Fatalf("request %d is due at %v", i, d)
		}
	}
}
