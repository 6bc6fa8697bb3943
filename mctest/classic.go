package mctest

// get is get and gets: any number of keys, an END after all of them.
func (c *conn) get(cmd command, line []byte, withCAS bool) verdict {
	c.count(cmd)
	_, keys := nextWord(line)
	if key, _ := nextWord(keys); len(key) == 0 {
		c.say("ERROR")
		return goOn
	}
	c.retrieve(keys, withCAS, nil)
	return goOn
}

// getAndTouch is gat and gats.
func (c *conn) getAndTouch(w [][]byte, line []byte) verdict {
	withCAS := string(w[0]) == "gats"
	if withCAS {
		c.count(cmdGats)
	} else {
		c.count(cmdGat)
	}
	if len(w) < 2 {
		c.say("ERROR")
		return goOn
	}
	exptime, ok := parseInt32(w[1])
	if !ok {
		c.say("CLIENT_ERROR invalid exptime argument")
		return goOn
	}
	_, rest := nextWord(line)
	_, keys := nextWord(rest)
	deadline := c.st.clock.deadline(exptime, c.now)
	c.retrieve(keys, withCAS, &deadline)
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
func (c *conn) storage(w [][]byte, value []byte) (used int, v verdict) {
	cmd, mode := storageCommand(string(w[0]))
	want := 5
	if mode == modeCAS {
		want = 6
	}
	if len(w) != want && len(w) != want+1 {
		c.count(cmd)
		return 0, c.answer(false, "ERROR")
	}
	quiet := noReply(w)
	r := storage{mode: mode, key: w[1]}
	var ok [4]bool
	var exptime, length int32
	r.flags, ok[0] = parseUint32(w[2])
	exptime, ok[1] = parseInt32(w[3])
	length, ok[2] = parseInt32(w[4])
	ok[3] = true
	if mode == modeCAS {
		r.cas, ok[3] = parseUint64(w[5])
	}
	if len(r.key) > maxKeyLen || ok != [4]bool{true, true, true, true} || !saneLength(length) {
		c.count(cmd)
		return 0, c.answer(quiet, badFormat)
	}
	r.deadline = c.st.clock.deadline(exptime, c.now)
	if itemSize(len(r.key), int(length), r.flags) > c.st.maxItem {
		c.count(cmd)
		c.refuseLarge(r.key, length, mode == modeSet)
		return 0, c.answer(quiet, tooLarge)
	}
	need := int(length) + 2
	if len(value) < need {
		return 0, more
	}
	c.count(cmd)
	return need, c.store(&r, value[:need], quiet)
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

// refuseLarge prepares for the value of a refused request to be thrown away as it
// comes. An older value of the key must not survive a refused set.
func (c *conn) refuseLarge(key []byte, length int32, forget bool) {
	c.swallow = int(length) + 2
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

func storageCommand(name string) (command, storeMode) {
	switch name {
	case "set":
		return cmdSet, modeSet
	case "add":
		return cmdAdd, modeAdd
	case "replace":
		return cmdReplace, modeReplace
	case "append":
		return cmdAppend, modeAppend
	case "prepend":
		return cmdPrepend, modePrepend
	default:
		return cmdCAS, modeCAS
	}
}

func (c *conn) touch(w [][]byte) verdict {
	c.count(cmdTouch)
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
	c.count(cmd)
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
	c.count(cmdDelete)
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
