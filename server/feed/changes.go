package feed

import (
	"strings"
	"sync"
)

// maxChanges bounds the keys that a Changes holds.
const maxChanges = 4096

// Changes collects the keys of the records that entries have named since Take was
// last called, for a part of grantd that keeps a summary of records and reads them
// again a little later. Safe for concurrent use.
type Changes struct {
	prefix string
	mu     sync.Mutex
	keys   map[string]struct{}
	all    bool // any record may have changed
}

// CollectChanges returns a Changes of the keys that begin with prefix, such as
// those of a kind of record. At first, any record may have changed. The Feed fills
// it as long as it lives.
func (f *Feed) CollectChanges(prefix string) *Changes {
	c := &Changes{prefix: prefix, keys: map[string]struct{}{}, all: true}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changes = append(f.changes, c)
	return c
}

// Take returns the keys that were collected, and forgets them. With all, any record
// may have changed: there were too many, or the feed has recovered from a loss.
func (c *Changes) Take() (keys []string, all bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.keys {
		keys = append(keys, key)
	}
	all = c.all
	clear(c.keys)
	c.all = false
	return keys, all
}

// PutBack adds what Take returned again: it could not be used yet.
func (c *Changes) PutBack(keys []string, all bool) {
	for _, key := range keys {
		c.add(key)
	}
	if all {
		c.addAll()
	}
}

func (c *Changes) add(key string) {
	if !strings.HasPrefix(key, c.prefix) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.all:
	case len(c.keys) >= maxChanges:
		c.all = true
		clear(c.keys)
	default:
		c.keys[strings.Clone(key)] = struct{}{} // it may be a part of something longer
	}
}

func (c *Changes) addAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = true
	clear(c.keys)
}

// noteChange is called with the key of each entry that is applied. The caller holds
// f.mu.
func (f *Feed) noteChange(key string) {
	for _, c := range f.changes {
		c.add(key)
	}
}

// noteAll is called when any record may have changed. The caller holds f.mu.
func (f *Feed) noteAll() {
	for _, c := range f.changes {
		c.addAll()
	}
}
