package mctest

func (c *conn) touch(w [][]byte) verdict {
	if len(w) != 3 && len(w) != 4 {
		return c.answer(false, "ERROR")
	}
	quiet := noReply(w)
	if len(w[1]) > maxKeyLen {
		return c.answer(quiet, badFormat)
	}
	exptime, ok := parseInt32(w[2])
	if !ok {
		return c.answer(quiet, "CLIENT_ERROR invalid exptime argument")
	}
	st := c.st
	st.mu.Lock()
	it := st.find(w[1], c.now)
	st.n.fetch(it != nil, true)
	if it != nil {
		it.exptime = st.clock.deadline(exptime, c.now)
		st.hit(it, c.now)
	}
	st.mu.Unlock()
	if it == nil {
		return c.answer(quiet, "NOT_FOUND")
	}
	return c.answer(quiet, "TOUCHED")
}

func (c *conn) arithmetic(cmd command, w [][]byte) verdict {
	if len(w) != 3 && len(w) != 4 {
		return c.answer(false, "ERROR")
	}
	quiet := noReply(w)
	if len(w[1]) > maxKeyLen {
		return c.answer(quiet, badFormat)
	}
	delta, ok := parseUint64(w[2])
	if !ok {
		return c.answer(quiet, "CLIENT_ERROR invalid numeric delta argument")
	}
	st := c.st
	st.mu.Lock()
	_, v, _, o := st.addDelta(w[1], cmd == cmdIncr, delta, 0, c.now)
	if o == notFound {
		st.n.deltaMiss(cmd == cmdIncr)
	}
	st.mu.Unlock()
	switch {
	case o == notFound:
		return c.answer(quiet, "NOT_FOUND")
	case o == nonNumeric:
		return c.answer(quiet, notANumber)
	case !quiet:
		c.out = append(appendUint(c.out, v), '\r', '\n')
	}
	return goOn
}

const notANumber = "CLIENT_ERROR cannot increment or decrement non-numeric value"

// delete also knows the ancient hold time, which must be 0.
func (c *conn) delete(w [][]byte) verdict {
	if len(w) < 2 || len(w) > 4 {
		return c.answer(false, "ERROR")
	}
	quiet := false
	if len(w) > 2 {
		quiet = noReply(w)
		held := string(w[2]) == "0"
		if len(w) == 3 && !held && !quiet || len(w) == 4 && (!held || !quiet) {
			return c.answer(quiet, badFormat+".  Usage: delete <key> [noreply]")
		}
	}
	if len(w[1]) > maxKeyLen {
		return c.answer(quiet, badFormat)
	}
	st := c.st
	st.mu.Lock()
	it := st.find(w[1], c.now)
	if it != nil {
		st.unlink(it)
		st.n.deleteHits++
	} else {
		st.n.deleteMisses++
	}
	st.mu.Unlock()
	if it == nil {
		return c.answer(quiet, "NOT_FOUND")
	}
	return c.answer(quiet, "DELETED")
}
