package registry

import (
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/grantd/grantd/server/feed"
)

// maxCached bounds a cache, in records.
const maxCached = 10_000

// entry is a record with the feed's mark from before it was read (invariant 5).
type entry struct {
	record    any    // *R
	principal string // of the record: made once, and looked up by each request after a change of any other record
	mark      feed.Mark
	read      time.Time
}

// entries holds the entries of a cache, by the id of their records. It is not
// generic, and its methods are not inlined: otter takes the compiler twenty
// seconds, and would otherwise be compiled for each package that uses a Cache.
type entries struct {
	cache *otter.Cache[string, *entry]
}

//go:noinline
func newEntries() entries {
	return entries{otter.Must(&otter.Options[string, *entry]{MaximumSize: maxCached})}
}

//go:noinline
func (e entries) get(id string) (*entry, bool) { return e.cache.GetIfPresent(id) }

//go:noinline
func (e entries) set(id string, found *entry) { e.cache.Set(id, found) }

//go:noinline
func (e entries) remove(id string) { e.cache.Invalidate(id) }
