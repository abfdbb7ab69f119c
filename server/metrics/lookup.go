package metrics

import (
	"maps"
	"sync"
	"sync/atomic"
)

// requestLabels and the others are labels as map keys.
type (
	requestLabels struct {
		route string
		code  int
	}
	introspectionLabels struct{ result, cache string }
	decisionLabels      struct{ outcome, cause string }
	authLabels          struct{ result, cause string }
)

// lookup remembers collectors by their labels. A vector of the client library
// hashes the labels under a lock each time, but the hot paths use the same few
// labels over and over. There are as few entries as there are collectors.
type lookup[K comparable, V any] struct {
	find  func(K) V
	known atomic.Pointer[map[K]V]
	mu    sync.Mutex // held to add an entry
}

// newLookup returns a lookup that calls find once for each set of labels.
func newLookup[K comparable, V any](find func(K) V) *lookup[K, V] {
	l := &lookup[K, V]{find: find}
	l.known.Store(&map[K]V{})
	return l
}

func (l *lookup[K, V]) get(labels K) V {
	if v, ok := (*l.known.Load())[labels]; ok {
		return v
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.find(labels)
	next := maps.Clone(*l.known.Load())
	next[labels] = v
	l.known.Store(&next)
	return v
}
