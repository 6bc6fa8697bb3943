package mctest

func (c *conn) metaDelete(w [][]byte) verdict {
	if bad := tooLongMeta(w, optionsTooLong); bad != "" {
		return c.answer(false, bad)
	}
	flags := w[2:]
	var f metaFlags
	if bad := c.metaFlags(&f, w[1], flags); bad != "" {
		return c.answer(false, invalidFlag)
	}
	if opaqueTooLong(flags) {
		return c.answer(false, opaqueLong)
	}
	o := c.st.metaDelete(&f, c.now)
	if o == stored && f.quiet {
		return goOn
	}
	c.out = append(c.out, metaReplies[o]...)
	c.echo(flags, &f)
	c.out = append(c.out, '\r', '\n')
	return goOn
}

// metaDelete deletes the item of f.key or, with the I flag, marks it stale.
func (s *store) metaDelete(f *metaFlags, now int64) outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.find(f.key, now)
	switch {
	case it == nil:
		s.n.deleteMisses++
		return notFound
	case f.hasCAS && f.cas != it.cas:
		s.n.deleteMisses++
		return exists
	case !f.stale:
		s.n.deleteHits++
		s.unlink(it)
		return stored
	}
	if f.newTTL {
		it.exptime = f.ttl
	}
	it.stale, it.won = true, false
	it.cas = s.nextCAS()
	return stored
}
