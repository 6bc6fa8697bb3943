package mctest

import (
	"fmt"
	"sort"
)

// memcached's slab classes: chunks of 96 bytes and up, each 1.25 times the last,
// in steps of 8; half the item limit ends the row.
const (
	firstChunk = 96
	chunkSteps = 8
	maxClasses = 63
)

// slabClass is the class of an item of size bytes.
func slabClass(size, maxItem int) int {
	for class := 1; class < maxClasses; class++ {
		if chunk := slabChunk(class, maxItem); size <= chunk || chunk >= maxItem/2 {
			return class
		}
	}
	return maxClasses
}

// slabChunk is the chunk size of a class.
func slabChunk(class, maxItem int) int {
	size := float64(firstChunk)
	chunk := firstChunk
	for i := 1; i < class && chunk < maxItem/2; i++ {
		size = float64(chunk) * 1.25
		chunk = (int(size) + chunkSteps - 1) / chunkSteps * chunkSteps
		if chunk*5/4 > maxItem/2 {
			chunk = maxItem / 2
		}
	}
	return chunk
}

// slabUse is what is stored in one slab class.
type slabUse struct{ class, items, bytes int }

// slabUses groups the items by the slab class they would be in.
func (s *store) slabUses() []slabUse {
	s.mu.Lock()
	defer s.mu.Unlock()
	byClass := make(map[int]slabUse)
	for _, it := range s.items {
		u := byClass[slabClass(it.size(), s.maxItem)]
		byClass[slabClass(it.size(), s.maxItem)] = slabUse{items: u.items + 1, bytes: u.bytes + it.size()}
	}
	uses := make([]slabUse, 0, len(byClass))
	for class, u := range byClass {
		u.class = class
		uses = append(uses, u)
	}
	sort.Slice(uses, func(i, j int) bool { return uses[i].class < uses[j].class })
	return uses
}

func (c *conn) itemStats() {
	for _, u := range c.st.slabUses() {
		c.stat(fmt.Sprintf("items:%d:number", u.class), u.items)
		c.stat(fmt.Sprintf("items:%d:mem_requested", u.class), u.bytes)
	}
}

func (c *conn) slabStats() {
	uses := c.st.slabUses()
	for _, u := range uses {
		c.stat(fmt.Sprintf("%d:chunk_size", u.class), slabChunk(u.class, c.st.maxItem))
		c.stat(fmt.Sprintf("%d:used_chunks", u.class), u.items)
	}
	c.stat("active_slabs", len(uses))
	c.stat("total_malloced", len(uses)<<20)
}
