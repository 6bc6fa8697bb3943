package pool

// habit says whether something that may be in vain is worth trying, from how it
// went lately.
type habit struct {
	luck int
	turn uint32
}

const (
	maxLuck  = 8
	luckTest = 32 // without luck, try once in so many times
)

func (h *habit) worth() bool {
	h.turn++
	return h.luck > 0 || h.turn%luckTest == 0
}

func (h *habit) learn(lucky bool) {
	if lucky {
		h.luck = min(h.luck+1, maxLuck)
	} else {
		h.luck = max(h.luck-2, 0)
	}
}
