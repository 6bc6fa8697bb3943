package ring

func (r *Ring) buildSlots() (*Ring, error) { return r, nil }

func (r *Ring) pickSlot(key string) (int, bool) { return 0, false }

func (r *Ring) walkSlots(key string, yield func(Server) bool) {}

func (r *Ring) slotShares() []float64 { return nil }
