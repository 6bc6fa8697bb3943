package mctest

// metaArithmetic is ma.
func (c *conn) metaArithmetic(w [][]byte) verdict {
	if bad := tooLongMeta(w, optionsTooLong); bad != "" {
		return c.answer(false, bad)
	}
	flags := w[2:]
	f := metaFlags{delta: 1}
	if bad := c.metaFlags(&f, w[1], flags); bad != "" {
		return c.answer(false, invalidFlag)
	}
	incr := true
	switch f.mode {
	case 0, 'I', '+':
	case 'D', '-':
		incr = false
	default:
		return c.answer(false, "CLIENT_ERROR invalid mode for ma M token")
	}
	st := c.st
	st.mu.Lock()
	defer st.mu.Unlock()
	return c.metaDelta(flags, &f, incr)
}

// metaDelta carries an ma out and answers it; the store is locked.
func (c *conn) metaDelta(flags [][]byte, f *metaFlags, incr bool) verdict {
	st := c.st
	it, v, renewed, o := st.addDelta(f.key, incr, f.delta, f.cas, c.now)
	created := false
	switch {
	case o == notFound && f.vivify:
		it, v, created = st.vivifyNumber(f, c.now), f.initial, true
	case o == notFound:
		st.n.deltaMiss(incr)
	case o == nonNumeric:
		return c.answer(false, notANumber)
	}
	if opaqueTooLong(flags) {
		return c.answer(false, opaqueLong)
	}
	if it == nil {
		c.out = append(c.out, metaReplies[o]...)
		c.echo(flags, f)
		c.out = append(c.out, '\r', '\n')
		return goOn
	}
	mark := len(c.out)
	c.metaNumber(it, v, flags, f, created, renewed)
	if f.quiet && !created {
		c.out = c.out[:mark] // the flags have had their effect
	}
	return goOn
}

// vivifyNumber creates the item that ma with the N flag did not find.
func (s *store) vivifyNumber(f *metaFlags, now int64) *item {
	it := &item{key: string(f.key), value: appendUint(nil, f.initial)}
	s.link(it, now)
	return it
}

// metaNumber appends the reply of an ma that has an item. After an item had to be
// replaced by a longer one, memcached sets the T flag's time on the old item: the
// reply shows it, the new item never gets it. So do we.
func (c *conn) metaNumber(it *item, v uint64, flags [][]byte, f *metaFlags, created, renewed bool) {
	var buf [20]byte
	number := appendUint(buf[:0], v)
	if f.value {
		c.out = append(c.out, "VA "...)
		c.out = appendUint(c.out, uint64(len(number)))
	} else {
		c.out = append(c.out, "HD"...)
	}
	exptime := it.exptime
	for _, t := range flags {
		switch t[0] {
		case 'T':
			exptime = f.ttl
			if !renewed {
				it.exptime = exptime
			}
		case 'N':
			if created {
				it.exptime, exptime = f.vivifyTTL, f.vivifyTTL
			}
		case 'k':
			c.out = appendKey(c.out, f.key, f.binary)
		case 'c', 't', 'O':
			c.metaReturn(it, t, exptime)
		}
	}
	c.out = append(c.out, '\r', '\n')
	if f.value {
		c.out = append(append(c.out, number...), '\r', '\n')
	}
}
