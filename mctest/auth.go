package mctest

// authenticate takes the only request an unauthenticated connection may send: a
// set of any key whose value is "user password" (protocol.txt, "Authentication").
func (c *conn) authenticate(w [][]byte, value []byte) (used int, v verdict) {
	var size uint32
	ok := len(w) >= 5 && string(w[0]) == "set"
	if ok {
		size, ok = parseUint32(w[4])
	}
	if !ok || int64(size) > int64(c.st.maxItem) {
		return 0, c.other("CLIENT_ERROR unauthenticated")
	}
	need := int(size) + 2
	if len(value) < need {
		return 0, more
	}
	c.count(cmdAuth)
	return need, c.login(value[:need])
}

func (c *conn) login(value []byte) verdict {
	if !endsLine(value) {
		return c.answer(false, "CLIENT_ERROR bad command line termination")
	}
	user, rest := nextWord(value[:len(value)-2])
	password, _ := nextWord(rest)
	if len(password) == 0 {
		return c.answer(false, "CLIENT_ERROR bad authentication token format")
	}
	want, known := c.s.cfg.Auth[string(user)]
	c.authed = known && want == string(password)
	c.st.mu.Lock()
	c.st.n.authCmds++
	if !c.authed {
		c.st.n.authErrors++
	}
	c.st.mu.Unlock()
	if !c.authed {
		return c.answer(false, "CLIENT_ERROR authentication failure")
	}
	return c.answer(false, "STORED")
}
