package workload

import (
	"fmt"
	"strings"
)

// Preset is a published workload in the terms of Config.
type Preset struct {
	Name     string
	About    string
	Law      string
	Mix      Mix
	KeySize  string
	Size     string
	TTL      string
	HitRatio float64
}

// Presets returns the built-in workloads. The twitterN rows are the means of one cluster
// each from the table stat/2020Mar.md of github.com/twitter/cache-trace (CC-BY 4.0), the
// data behind Yang, Yue, Rashmi: A large scale analysis of hundreds of in-memory cache
// clusters at Twitter, OSDI 2020; gets counts as get, and where the shares of the table
// do not add up the rest is get. fb is Facebook's ETC pool, SIGMETRICS 2012 (30 gets per
// set).
func Presets() []Preset {
	return []Preset{
		{"fb", "Facebook ETC: small skewed values, 30 gets per set", "zipf:0.99", Mix{Get: 30. / 31, Set: 1. / 31}, "fb", "fb", "0", 1},
		{"twitter1", "cluster1: read only, steep skew, 240 s", "zipf:2.6774", Mix{Get: 0.99, Set: 0.01}, "80", "267", "240", 1 - 0.0043},
		{"twitter4", "cluster4: computed results, 39 % misses", "zipf:1.1004", Mix{Get: 0.93, Set: 0.07}, "67", "2439", "60-3600", 1 - 0.3941},
		{"twitter12", "cluster12: write heavy, flat", "zipf:0.3048", Mix{Get: 0.20, Set: 0.80}, "44", "1030", "300", 1 - 0.0058},
		{"twitter18", "cluster18: tiny values, highest rate", "zipf:2.0994", Mix{Get: 0.98, Add: 0.01, CAS: 0.01}, "18", "37", "43200", 1 - 0.002},
		{"twitter26", "cluster26: long keys, 45 % misses", "zipf:0.6299", Mix{Get: 0.71, Set: 0.29}, "122", "1745", "60-660", 1 - 0.4469},
		{"twitter52", "cluster52: storage cache, mixed ttl", "zipf:1.2117", Mix{Get: 0.94, Add: 0.04, CAS: 0.02}, "20", "273", "43200-1209600", 1 - 0.0189},
	}
}

// PresetNamed finds a preset.
func PresetNamed(name string) (Preset, error) {
	var names []string
	for _, p := range Presets() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Preset{}, fmt.Errorf("preset %q: want one of %s", name, strings.Join(names, ", "))
}
