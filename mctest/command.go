package mctest

import "bytes"

// verdict is what one request means for its connection.
type verdict uint8

const (
	goOn   verdict = iota // carried out; the next request may follow
	partly                // no request, only bytes to be thrown away
	more                  // the request is not complete yet
	hangUp                // answer what is answered, then close
)

// Bounds of a command line without its end. memcached closes a connection that
// sends 2 KiB without a newline, except for get and gets, whose keys may go on;
// those it does not bound at all, we do.
const (
	maxLine    = 2048
	maxGetLine = 16 << 20
)

// maxTokens is into how many words memcached splits a line at most.
const maxTokens = 24

// words splits line at spaces into dst, at most maxTokens-1 of them.
func words(dst [][]byte, line []byte) [][]byte {
	for len(dst) < maxTokens-1 {
		word, rest := nextWord(line)
		if len(word) == 0 {
			break
		}
		dst, line = append(dst, word), rest
	}
	return dst
}

// nextWord returns the first word of line, empty if there is none.
func nextWord(line []byte) (word, rest []byte) {
	for len(line) > 0 && line[0] == ' ' {
		line = line[1:]
	}
	end := bytes.IndexByte(line, ' ')
	if end < 0 {
		return line, nil
	}
	return line[:end], line[end:]
}

// step carries out the first request in b and returns how many bytes it took.
// While the request is incomplete it changes nothing and says more.
func (c *conn) step(b []byte) (used int, v verdict) {
	if c.swallow > 0 {
		return c.swallowSome(b)
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return c.unfinished(b)
	}
	line := bytes.TrimSuffix(b[:end], []byte{'\r'})
	if nul := bytes.IndexByte(line, 0); nul >= 0 {
		line = line[:nul] // memcached reads lines as C strings
	}
	value, v := c.command(line, b[end+1:])
	if v == more {
		return 0, more
	}
	return end + 1 + value, v
}

// refuse rejects a request whose value of length bytes is still to come: it is
// thrown away as it comes, and then the client is told why.
func (c *conn) refuse(length int, quiet bool, why string) verdict {
	c.swallow = length + 2
	c.refusal = why
	if quiet {
		c.refusal = ""
	}
	return partly
}

func (c *conn) swallowSome(b []byte) (used int, v verdict) {
	n := min(c.swallow, len(b))
	c.swallow -= n
	if c.swallow > 0 {
		return n, partly
	}
	return n, c.answer(c.refusal == "", c.refusal)
}

// unfinished judges a line whose newline has not come yet.
func (c *conn) unfinished(b []byte) (int, verdict) {
	if len(b) <= maxLine {
		return 0, more
	}
	first, _ := nextWord(b)
	name := string(first[:min(len(first), 5)])
	if c.authed && (name == "get" || name == "gets") && len(b) <= maxGetLine {
		return 0, more
	}
	return 0, hangUp
}

// command carries out line; value is what follows it in the buffer, of which
// storage commands take their part.
func (c *conn) command(line, value []byte) (used int, v verdict) {
	w := words(c.words[:0], line)
	if !c.authed {
		return c.authenticate(w, value)
	}
	if len(w) == 0 || len(w[0]) < 2 {
		return 0, c.other("ERROR")
	}
	cmd, known := c.s.commands[string(w[0])]
	if !known {
		return 0, c.unknown(w)
	}
	switch cmd {
	case cmdSet, cmdAdd, cmdReplace, cmdAppend, cmdPrepend, cmdCAS:
		return c.storage(cmd, w, value)
	case cmdMetaSet:
		return c.metaSet(w, value)
	}
	c.count(cmd)
	return 0, c.simple(cmd, w, line)
}

// simple carries out a command without a value; it is counted already.
func (c *conn) simple(cmd command, w [][]byte, line []byte) verdict {
	switch cmd {
	case cmdGet, cmdGets:
		return c.get(cmd, line)
	case cmdGat, cmdGats:
		return c.getAndTouch(cmd, w, line)
	case cmdMetaGet:
		return c.metaGet(w)
	case cmdMetaDelete:
		return c.metaDelete(w)
	case cmdMetaArithmetic:
		return c.metaArithmetic(w)
	case cmdMetaNoop:
		return c.answer(false, "MN")
	case cmdMetaDebug:
		return c.metaDebug(w)
	case cmdTouch:
		return c.touch(w)
	case cmdIncr, cmdDecr:
		return c.arithmetic(cmd, w)
	case cmdDelete:
		return c.delete(w)
	}
	return c.admin(cmd, w)
}

// other answers a request that is none of the counted commands.
func (c *conn) other(reply string) verdict {
	c.count(cmdOther)
	c.say(reply)
	return goOn
}

// say appends one reply line.
func (c *conn) say(line string) {
	c.out = append(c.out, line...)
	c.out = append(c.out, '\r', '\n')
}

// answer is say, unless the client asked for silence.
func (c *conn) answer(quiet bool, line string) verdict {
	if !quiet {
		c.say(line)
	}
	return goOn
}

const badFormat = "CLIENT_ERROR bad command line format"

// noReply reports whether the last word of a classic command is noreply.
func noReply(w [][]byte) bool { return string(w[len(w)-1]) == "noreply" }
