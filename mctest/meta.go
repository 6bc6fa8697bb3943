package mctest

import (
	"encoding/base64"
	"fmt"
)

// maxMetaWords is how many words a meta command may have.
const maxMetaWords = 19

// meta carries out mg, ms, md, ma, mn and me.
func (c *conn) meta(w [][]byte, value []byte) (used int, v verdict) {
	switch w[0][1] {
	case 'g':
		return 0, c.metaGet(w)
	case 's':
		return c.metaSet(w, value)
	case 'd':
		return 0, c.metaDelete(w)
	case 'a':
		return 0, c.metaArithmetic(w)
	case 'n':
		c.count(cmdMetaNoop)
		return 0, c.answer(false, "MN")
	case 'e':
		return 0, c.metaDebug(w)
	}
	return 0, c.other("ERROR")
}

// tooLongMeta checks what all meta commands check first.
func tooLongMeta(w [][]byte, tooMany string) string {
	switch {
	case len(w) < 2:
		return "ERROR"
	case len(w[1]) > maxKeyLen:
		return badFormat
	case len(w) > maxMetaWords:
		return tooMany
	}
	return ""
}

const (
	optionsAreTooLong = "CLIENT_ERROR options flags are too long"
	optionsTooLong    = "CLIENT_ERROR options flags too long"
	invalidFlag       = "CLIENT_ERROR invalid or duplicate flag"
	opaqueLong        = "CLIENT_ERROR opaque token too long"
)

// metaFlags parses key and flags into f; failure as in metaFlags.parse.
func (c *conn) metaFlags(f *metaFlags, key []byte, flags [][]byte) (failure string) {
	f.key = key
	return f.parse(flags, c.key[:], c.st.clock, c.now)
}

func (c *conn) metaGet(w [][]byte) verdict {
	c.count(cmdMetaGet)
	if bad := tooLongMeta(w, optionsAreTooLong); bad != "" {
		return c.answer(false, bad)
	}
	flags := w[2:]
	var f metaFlags
	if bad := c.metaFlags(&f, w[1], flags); bad != "" {
		return c.answer(false, bad)
	}
	st := c.st
	st.mu.Lock()
	defer st.mu.Unlock()
	it, created := c.metaFetch(&f)
	if it == nil {
		st.n.fetch(false, false)
		return c.metaMiss(flags, &f)
	}
	if !f.late && !f.noUpdate {
		st.hit(it, c.now)
	}
	if opaqueTooLong(flags) {
		return c.answer(false, opaqueLong)
	}
	c.metaHit(it, flags, &f, created)
	st.n.fetch(true, f.newTTL)
	if f.late && !f.noUpdate {
		st.hit(it, c.now)
	}
	return goOn
}

// metaFetch finds the item of an mg, or creates an empty one for the N flag.
func (c *conn) metaFetch(f *metaFlags) (it *item, created bool) {
	it = c.st.find(f.key, c.now)
	if it != nil || !f.vivify {
		return it, false
	}
	it = &item{key: string(f.key)}
	c.st.link(it, c.now)
	return it, true
}

func (c *conn) metaMiss(flags [][]byte, f *metaFlags) verdict {
	if f.quiet {
		return goOn
	}
	c.out = append(c.out, "EN"...)
	c.echo(flags, f)
	c.out = append(c.out, '\r', '\n')
	return goOn
}

// metaHit appends the reply of an mg that found it, flag by flag.
func (c *conn) metaHit(it *item, flags [][]byte, f *metaFlags, created bool) {
	if f.value {
		c.out = append(c.out, "VA "...)
		c.out = appendUint(c.out, uint64(len(it.value)))
	} else {
		c.out = append(c.out, "HD"...)
	}
	won := created
	for _, t := range flags {
		switch t[0] {
		case 'T':
			it.exptime = f.ttl
		case 'N':
			if created {
				it.exptime = f.vivifyTTL
			}
		case 'R':
			if !it.won && !created && it.exptime != 0 && it.exptime < f.recache {
				won = true
			}
		default:
			c.metaReturn(it, t, it.exptime)
		}
	}
	c.lease(it, won)
	c.out = append(c.out, '\r', '\n')
	if f.value {
		c.out = append(c.out, it.value...)
		c.out = append(c.out, '\r', '\n')
	}
}

// lease appends W, X and Z: who may recache it, and whether it is stale.
func (c *conn) lease(it *item, won bool) {
	if it.won {
		c.out = append(c.out, " Z"...)
	}
	if it.stale {
		c.out = append(c.out, " X"...)
		won = won || !it.won
	}
	if won {
		c.out = append(c.out, " W"...)
		it.won = true
	}
}

// metaReturn appends what return flag t asks for.
func (c *conn) metaReturn(it *item, t []byte, exptime int64) {
	switch t[0] {
	case 's':
		c.appendFlag('s', uint64(len(it.value)))
	case 'c':
		c.appendFlag('c', it.cas)
	case 'f':
		c.appendFlag('f', uint64(it.flags))
	case 'l':
		c.appendFlag('l', uint64(uint32(c.now-it.accessed)))
	case 'h':
		hit := uint64(0)
		if it.fetched {
			hit = 1
		}
		c.appendFlag('h', hit)
	case 't':
		if exptime == 0 {
			c.out = append(c.out, " t-1"...)
		} else {
			c.appendFlag('t', uint64(uint32(exptime-c.now))) // below 0 it wraps, as there
		}
	case 'O':
		c.out = append(append(c.out, ' '), t...)
	case 'k':
		c.out = appendKey(c.out, it.key, it.binary)
	}
}

func (c *conn) appendFlag(flag byte, v uint64) {
	c.out = appendUint(append(c.out, ' ', flag), v)
}

// appendKey appends the k flag, with b after it if the key is in base64.
func appendKey[K string | []byte](dst []byte, key K, binary bool) []byte {
	dst = append(dst, ' ', 'k')
	if !binary {
		return append(dst, key...)
	}
	dst = base64.StdEncoding.AppendEncode(dst, []byte(key))
	return append(dst, " b"...)
}

func (c *conn) metaSet(w [][]byte, value []byte) (used int, v verdict) {
	bad := tooLongMeta(w, optionsTooLong)
	if bad == "" && len(w) == 2 {
		bad = badFormat
	}
	var length int32
	if bad == "" {
		var ok bool
		if length, ok = parseInt32(w[2]); !ok || !saneLength(length) {
			bad = badFormat
		}
	}
	if bad != "" {
		c.count(cmdMetaSet)
		return 0, c.answer(false, bad)
	}
	var f metaFlags
	r, bad := c.metaStorage(w, &f)
	if bad != "" {
		c.count(cmdMetaSet)
		c.swallow = int(length) + 2
		return 0, c.answer(false, bad)
	}
	if itemSize(len(r.key), int(length), r.flags) > c.st.maxItem {
		c.count(cmdMetaSet)
		c.refuseLarge(r.key, length, true)
		return 0, c.answer(false, tooLarge)
	}
	need := int(length) + 2
	if len(value) < need {
		return 0, more
	}
	c.count(cmdMetaSet)
	return need, c.metaStore(&r, value[:need], w[3:], &f)
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

func (c *conn) metaDelete(w [][]byte) verdict {
	c.count(cmdMetaDelete)
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

// echo appends the flags that only repeat the request: O and k.
func (c *conn) echo(flags [][]byte, f *metaFlags) {
	for _, t := range flags {
		switch t[0] {
		case 'O':
			c.out = append(append(c.out, ' '), t...)
		case 'k':
			c.out = appendKey(c.out, f.key, f.binary)
		}
	}
}

// metaDebug is me: what the server knows about an item, for people.
func (c *conn) metaDebug(w [][]byte) verdict {
	c.count(cmdMetaDebug)
	if len(w) < 2 || len(w[1]) > maxKeyLen {
		return c.answer(false, badFormat)
	}
	f := metaFlags{key: w[1]}
	if len(w) > 2 && string(w[2]) == "b" && !f.decodeKey(c.key[:]) {
		return c.answer(false, badFormat)
	}
	st := c.st
	st.mu.Lock()
	defer st.mu.Unlock()
	st.n.metaDebug++
	it := st.find(f.key, c.now)
	if it == nil {
		return c.answer(false, "EN")
	}
	shown := it.key
	if it.binary {
		shown = base64.StdEncoding.EncodeToString([]byte(it.key))
	}
	exp, fetch := int64(-1), "no"
	if it.exptime != 0 {
		exp = c.now - it.exptime
	}
	if it.fetched {
		fetch = "yes"
	}
	c.out = fmt.Appendf(c.out, "ME %s exp=%d la=%d cas=%d fetch=%s cls=%d size=%d\r\n",
		shown, exp, c.now-it.accessed, it.cas, fetch, slabClass(it.size(), st.maxItem), it.size())
	return goOn
}
