package mctest

// metaSet is ms.
func (c *conn) metaSet(w [][]byte, value []byte) (used int, v verdict) {
	length, bad := metaLength(w)
	if bad != "" {
		c.count(cmdMetaSet)
		return 0, c.answer(false, bad)
	}
	var f metaFlags
	r, bad := c.metaStorage(w, &f)
	switch {
	case bad != "":
		c.count(cmdMetaSet)
		return 0, c.refuse(length, false, bad)
	case itemSize(len(r.key), length, r.flags) > c.st.maxItem:
		c.count(cmdMetaSet)
		c.noteTooLarge(r.key, true)
		return 0, c.refuse(length, false, tooLarge)
	case len(value) < length+2:
		return 0, more
	}
	c.count(cmdMetaSet)
	return length + 2, c.metaStore(&r, value[:length+2], w[3:], &f)
}

// metaLength checks what makes the length of an ms value unknown, in which case
// the value cannot be skipped either.
func metaLength(w [][]byte) (length int, bad string) {
	if bad := tooLongMeta(w, optionsTooLong); bad != "" {
		return 0, bad
	}
	if len(w) == 2 {
		return 0, badFormat
	}
	n, ok := parseInt32(w[2])
	if !ok || !saneLength(n) {
		return 0, badFormat
	}
	return int(n), ""
}

// metaStorage turns the words of an ms into a storage request.
func (c *conn) metaStorage(w [][]byte, f *metaFlags) (r storage, failure string) {
	if bad := c.metaFlags(f, w[1], w[3:]); bad != "" {
		return r, bad
	}
	r = storage{
		key: f.key, flags: f.clientFlags, deadline: f.ttl,
		cas: f.cas, binary: f.binary,
	}
	switch f.mode {
	case 0, 'S':
		r.mode = modeSet
	case 'E':
		r.mode = modeAdd
	case 'A':
		r.mode = modeAppend
	case 'P':
		r.mode = modePrepend
	case 'R':
		r.mode = modeReplace
	default:
		return r, "CLIENT_ERROR invalid mode for ms M token"
	}
	if opaqueTooLong(w[3:]) {
		return r, opaqueLong
	}
	if f.hasCAS && (r.mode == modeSet || r.mode == modeReplace) {
		r.mode = modeCAS
		r.invalidate = f.stale
	}
	return r, ""
}

// metaStore finishes an ms whose value, line end included, is here.
func (c *conn) metaStore(r *storage, value []byte, flags [][]byte, f *metaFlags) verdict {
	st := c.st
	st.mu.Lock()
	st.n.sets++
	if !endsLine(value) {
		st.mu.Unlock()
		return c.answer(false, "CLIENT_ERROR bad data chunk")
	}
	r.value = value[:len(value)-2]
	o, cas := st.put(r, c.now)
	st.mu.Unlock()
	if o == stored && f.quiet {
		return goOn
	}
	c.out = append(c.out, metaReplies[o]...)
	for _, t := range flags {
		switch t[0] {
		case 'O':
			c.out = append(append(c.out, ' '), t...)
		case 'k':
			c.out = appendKey(c.out, r.key, r.binary)
		case 'c':
			c.appendFlag('c', cas)
		}
	}
	c.out = append(c.out, '\r', '\n')
	return goOn
}

var metaReplies = [...]string{stored: "HD", notStored: "NS", exists: "EX", notFound: "NF"}
