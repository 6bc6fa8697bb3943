package ring

import (
	"fmt"
	"slices"
)

// Add returns the ring with s appended to the list of servers. In the default
// layout it costs one copy of the points and moves keys only to s; the other
// layouts are built anew. A view stays a view: the same servers remain out.
// The errors are those of New.
func (r *Ring) Add(s Server) (*Ring, error) {
	full := r.whole()
	s, err := s.normal()
	if err != nil {
		return nil, err
	}
	if full.find(s.Name) >= 0 {
		return nil, fmt.Errorf("%w: %.60q", ErrDuplicate, s.Name)
	}
	servers := append(slices.Clip(full.servers), s)
	next, err := full.grow(servers)
	if err != nil {
		return nil, err
	}
	return next.Without(r.outNames()...), nil
}

// Remove returns the ring without the named server; it leaves the membership
// for good, so that layouts with a share rule give its share to the others
// anew. Use Without for a server that is only down. The error wraps
// ErrUnknownServer, or ErrNoServers when it was the last one.
func (r *Ring) Remove(name string) (*Ring, error) {
	full := r.whole()
	i := full.find(name)
	if i < 0 {
		return nil, fmt.Errorf("%w: %.60q", ErrUnknownServer, name)
	}
	if len(full.servers) == 1 {
		return nil, fmt.Errorf("%w would be left after removing %.60q", ErrNoServers, name)
	}
	next, err := full.shrink(i)
	if err != nil {
		return nil, err
	}
	return next.Without(r.outNames()...), nil
}

// Replace returns the ring with s in the place of the named server. Fields of s
// that are zero keep their value. As long as name and weight stay, a new
// address moves no key; a new name or weight moves the keys that a fresh ring
// would move. The error wraps ErrUnknownServer or what New would report.
func (r *Ring) Replace(name string, s Server) (*Ring, error) {
	full := r.whole()
	i := full.find(name)
	if i < 0 {
		return nil, fmt.Errorf("%w: %.60q", ErrUnknownServer, name)
	}
	next, err := full.replace(i, s)
	if err != nil {
		return nil, err
	}
	return next.Without(r.outNames()...), nil
}

func (r *Ring) replace(i int, s Server) (*Ring, error) {
	old := r.servers[i]
	if s.Name == "" {
		s.Name = old.Name
	}
	if s.Addr == "" {
		s.Addr = old.Addr
	}
	if s.Weight == 0 {
		s.Weight = old.Weight
	}
	s, err := s.normal()
	if err != nil {
		return nil, err
	}
	if at := r.find(s.Name); at >= 0 && at != i {
		return nil, fmt.Errorf("%w: %.60q", ErrDuplicate, s.Name)
	}
	servers := slices.Clone(r.servers)
	servers[i] = s
	if s.Name != old.Name || s.Weight != old.Weight {
		return build(r.scheme, servers)
	}
	next := r.copy()
	next.servers = servers
	return next, nil
}

// grow returns the full ring for servers, which are r's and one more.
func (r *Ring) grow(servers []Server) (*Ring, error) {
	if !r.scheme.merges {
		return build(r.scheme, servers)
	}
	last := len(servers) - 1
	labels := r.scheme.labels(servers[last:])[0]
	if total := len(r.points) - 1 + labels*r.scheme.perLabel; total > maxPoints {
		return nil, tooManyPoints(total)
	}
	fresh := r.scheme.appendPoints(nil, servers[last].Name, uint32(last), labels)
	sortPoints(fresh)
	next := &Ring{scheme: r.scheme, servers: servers, live: len(servers)}
	points := r.merge(fresh, servers)
	next.reindex(r, points, fresh, 1)
	next.close(points)
	return next, nil
}

// merge returns r's points and the fresh ones of the last of servers in order,
// with room for the sentinel. The points between two fresh ones are copied as
// one run.
func (r *Ring) merge(fresh []point, servers []Server) []point {
	old := r.points[:len(r.points)-1]
	name := servers[len(servers)-1].Name
	merged := make([]point, 0, len(old)+len(fresh)+1)
	from := 0
	for _, p := range fresh {
		to := r.seek(p.hash())
		for to < len(old) && old[to].hash() == p.hash() && servers[old[to].owner].Name < name {
			to++
		}
		merged = append(merged, old[from:to]...)
		merged = append(merged, p)
		from = to
	}
	return append(merged, old[from:]...)
}

// shrink returns the full ring without the server at i.
func (r *Ring) shrink(i int) (*Ring, error) {
	servers := slices.Delete(slices.Clone(r.servers), i, i+1)
	if !r.scheme.merges {
		return build(r.scheme, servers)
	}
	lost := r.scheme.appendPoints(nil, r.servers[i].Name, uint32(i), r.scheme.labels(r.servers[i : i+1])[0])
	sortPoints(lost)
	next := &Ring{scheme: r.scheme, servers: servers, live: len(servers)}
	points := r.unmerge(lost, uint32(i))
	next.reindex(r, points, lost, -1)
	next.close(points)
	return next, nil
}

// unmerge undoes merge: it returns r's points without the lost ones, which are
// those of owner, and numbers the owners after it anew.
func (r *Ring) unmerge(lost []point, owner uint32) []point {
	old := r.points[:len(r.points)-1]
	kept := make([]point, 0, len(r.points))
	from := 0
	for _, p := range lost {
		at := max(from, r.seek(p.hash()))
		for old[at].owner != owner { // equal hashes of others
			at++
		}
		kept = append(kept, old[from:at]...)
		from = at + 1
	}
	kept = append(kept, old[from:]...)
	for i := range kept {
		kept[i].owner -= (owner - kept[i].owner) >> 31 // one less if above owner; a branch would be a coin toss
	}
	return kept
}
