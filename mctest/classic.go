package mctest

// get is get and gets: any number of keys, an END after all of them.
func (c *conn) get(cmd command, line []byte) verdict {
	_, keys := nextWord(line)
	if key, _ := nextWord(keys); len(key) == 0 {
		return c.answer(false, "ERROR")
	}
	c.retrieve(keys, cmd == cmdGets, nil)
	return goOn
}

// getAndTouch is gat and gats.
func (c *conn) getAndTouch(cmd command, w [][]byte, line []byte) verdict {
	if len(w) < 2 {
		return c.answer(false, "ERROR")
	}
	exptime, ok := parseInt32(w[1])
	if !ok {
		return c.answer(false, "CLIENT_ERROR invalid exptime argument")
	}
	_, rest := nextWord(line)
	_, keys := nextWord(rest)
	deadline := c.st.clock.deadline(exptime, c.now)
	c.retrieve(keys, cmd == cmdGats, &deadline)
	return goOn
}

// retrieve answers the keys; with a deadline it also sets theirs. A key that is
// too long turns the whole reply into an error.
func (c *conn) retrieve(keys []byte, withCAS bool, deadline *int64) {
	start := len(c.out)
	st := c.st
	st.mu.Lock()
	defer st.mu.Unlock()
	for {
		var key []byte
		key, keys = nextWord(keys)
		if len(key) == 0 {
			c.say("END")
			return
		}
		if len(key) > maxKeyLen {
			c.out = c.out[:start]
			c.say(badFormat)
			return
		}
		it := st.find(key, c.now)
		st.n.fetch(it != nil, deadline != nil)
		if it == nil {
			continue
		}
		if deadline != nil {
			it.exptime = *deadline
		}
		st.hit(it, c.now)
		c.appendValue(it, withCAS)
	}
}

// appendValue appends a VALUE block.
func (c *conn) appendValue(it *item, withCAS bool) {
	out := append(c.out, "VALUE "...)
	out = append(out, it.key...)
	out = append(out, ' ')
	out = appendUint(out, uint64(it.flags))
	out = append(out, ' ')
	out = appendUint(out, uint64(len(it.value)))
	if withCAS {
		out = append(out, ' ')
		out = appendUint(out, it.cas)
	}
	out = append(out, '\r', '\n')
	out = append(out, it.value...)
	c.out = append(out, '\r', '\n')
}

// storage is set, add, replace, append, prepend and cas.
func (c *conn) storage(cmd command, w [][]byte, value []byte) (used int, v verdict) {
	r := storage{mode: storageModes[cmd]}
	length, bad := c.parseStorage(&r, w)
	quiet := noReply(w)
	switch {
	case bad == "ERROR":
		c.count(cmd)
		return 0, c.answer(false, bad)
	case bad != "":
		c.count(cmd)
		return 0, c.answer(quiet, bad)
	case itemSize(len(r.key), length, r.flags) > c.st.maxItem:
		c.count(cmd)
		c.noteTooLarge(r.key, r.mode == modeSet)
		return 0, c.refuse(length, quiet, tooLarge)
	case len(value) < length+2:
		return 0, more
	}
	c.count(cmd)
	return length + 2, c.store(&r, value[:length+2], quiet)
}

// parseStorage reads the words of a classic storage command into r, and the
// length of the value; bad is the error line to send.
func (c *conn) parseStorage(r *storage, w [][]byte) (length int, bad string) {
	want := 5
	if r.mode == modeCAS {
		want = 6
	}
	if len(w) != want && len(w) != want+1 {
		return 0, "ERROR"
	}
	flags, ok1 := parseUint32(w[2])
	exptime, ok2 := parseInt32(w[3])
	n, ok3 := parseInt32(w[4])
	cas, ok4 := uint64(0), true
	if r.mode == modeCAS {
		cas, ok4 = parseUint64(w[5])
	}
	if len(w[1]) > maxKeyLen || !ok1 || !ok2 || !ok3 || !ok4 || !saneLength(n) {
		return 0, badFormat
	}
	r.key, r.flags, r.cas = w[1], flags, cas
	r.deadline = c.st.clock.deadline(exptime, c.now)
	return int(n), ""
}

// store finishes a storage command whose value, line end included, is here.
func (c *conn) store(r *storage, value []byte, quiet bool) verdict {
	st := c.st
	st.mu.Lock()
	st.n.sets++
	if !endsLine(value) {
		st.mu.Unlock()
		return c.answer(quiet, "CLIENT_ERROR bad data chunk")
	}
	r.value = value[:len(value)-2]
	o, _ := st.put(r, c.now)
	st.mu.Unlock()
	return c.answer(quiet, storageReplies[o])
}

var storageReplies = [...]string{stored: "STORED", notStored: "NOT_STORED", exists: "EXISTS", notFound: "NOT_FOUND"}

const tooLarge = "SERVER_ERROR object too large for cache"

// noteTooLarge counts a value that is too large. After a set, the old value of the
// key must not survive either.
func (c *conn) noteTooLarge(key []byte, forget bool) {
	st := c.st
	st.mu.Lock()
	defer st.mu.Unlock()
	st.n.storeTooLarge++
	if !forget {
		return
	}
	if it := st.find(key, c.now); it != nil {
		st.unlink(it)
	}
}

// saneLength reports whether a value length can be meant.
func saneLength(n int32) bool { return n >= 0 && n <= 1<<31-3 }

func endsLine(value []byte) bool {
	n := len(value)
	return value[n-2] == '\r' && value[n-1] == '\n'
}

var storageModes = [...]storeMode{
	cmdSet: modeSet, cmdAdd: modeAdd, cmdReplace: modeReplace,
	cmdAppend: modeAppend, cmdPrepend: modePrepend, cmdCAS: modeCAS,
}
