package feed

import (
	"fmt"
	"slices"
	"testing"

	"github.com/grantd/grantd/store"
)

// Changes have the keys with their prefix, once each, until they are taken. What was
// not used can be put back. Too many keys, and a recovery of the feed, mean all.
func TestChanges(t *testing.T) {
	f := New(options(newMemory()))
	c := f.CollectChanges("client:")
	take := func(step string, wantAll bool, want ...string) {
		t.Helper()
		keys, all := c.Take()
		slices.Sort(keys)
		if all != wantAll || !slices.Equal(keys, want) {
			t.Errorf("%s: %v, all %v; want %v, %v", step, keys, all, want, wantAll)
		}
	}
	seq := uint64(0)
	named := func(kind store.EntryKind, keys ...string) {
		for _, key := range keys {
			seq++
			f.apply([]store.Entry{at(seq, store.Entry{Kind: kind, Key: key})})
		}
	}
	take("at first", true)
	take("then", false)
	named(store.EntryChange, "client:a", "org:a", "client:b", "client:a")
	named(store.EntryVoid, "client:c", "token:client:d", "all")
	take("named", false, "client:a", "client:b", "client:c")
	c.PutBack([]string{"client:a"}, false)
	named(store.EntryChange, "client:e")
	take("put back", false, "client:a", "client:e")
	for i := range maxChanges + 1 {
		named(store.EntryChange, fmt.Sprint("client:", i))
	}
	take("too many", true)
	f.replace(newState())
	named(store.EntryChange, "client:a")
	take("recovered", true)
	c.PutBack(nil, true)
	take("put back", true)
}
