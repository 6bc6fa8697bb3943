package ring

// Without returns the view of r in which the named servers are out: their keys
// go to the next server of each key's Walk, no other key moves, and nobody's
// share is computed anew. The servers stay members: Add, Remove and Replace
// work on the whole membership and keep them out. Names that are not members
// are ignored. With nothing to take out it returns r itself.
func (r *Ring) Without(names ...string) *Ring {
	var out []bool
	live := r.live
	for _, name := range names {
		i := r.find(name)
		if i < 0 || r.isOut(i) || out != nil && out[i] {
			continue
		}
		if out == nil {
			out = make([]bool, len(r.servers))
			copy(out, r.out)
		}
		out[i] = true
		live--
	}
	if out == nil {
		return r
	}
	view := r.copy()
	view.full, view.out, view.live = r.whole(), out, live
	if len(r.points) != 0 {
		points, lost := r.strip(out)
		view.reindex(r, points, lost, -1)
		view.close(points)
	}
	return view
}

// whole returns the ring of the whole membership.
func (r *Ring) whole() *Ring {
	if r.full != nil {
		return r.full
	}
	return r
}

func (r *Ring) outNames() []string {
	var names []string
	for i := range r.out {
		if r.out[i] {
			names = append(names, r.servers[i].Name)
		}
	}
	return names
}

// copy returns a ring that shares everything with r but the memory of shares.
func (r *Ring) copy() *Ring {
	return &Ring{
		scheme: r.scheme, shift: r.shift, index: r.index, points: r.points, servers: r.servers,
		slots: r.slots, out: r.out, live: r.live, full: r.full,
	}
}
