package workload

import "fmt"

// split draws from the keys of one server with a given share and from all others with the
// rest, uniformly in both.
type split struct {
	victim, others []int32
	share          float64
}

// Split replaces the key law: share of the requests go to the keys for which isVictim
// holds. It is called before the first Request.
func (w *Workload) Split(isVictim func(key int) bool, share float64) error {
	s := &split{share: share}
	for i := range w.Keys.Len() {
		if isVictim(i) {
			s.victim = append(s.victim, int32(i))
		} else {
			s.others = append(s.others, int32(i))
		}
	}
	if len(s.victim) == 0 || len(s.others) == 0 && share < 1 {
		return fmt.Errorf("%d keys are too few: each server needs some", w.Keys.Len())
	}
	w.law, w.newestOf = s, nil
	return nil
}

func (s *split) Pick(r *Rand, _ uint64) int {
	from := s.others
	if len(from) == 0 || r.Float64() < s.share {
		from = s.victim
	}
	return int(from[r.IntN(len(from))])
}

func (s *split) String() string { return fmt.Sprintf("%.0f%% on the victim", 100*s.share) }
