package mctest

import "encoding/base64"

// maxMetaWords is how many words a meta command may have.
const maxMetaWords = 19

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
