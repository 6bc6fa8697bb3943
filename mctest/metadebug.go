package mctest

import (
	"encoding/base64"
	"fmt"
)

// metaDebug is me: what the server knows about an item, for people.
func (c *conn) metaDebug(w [][]byte) verdict {
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
