package metrics

import (
	"maps"
	"sync"
	"sync/atomic"
)

// requestLabels and introspectionLabels are labels as keys.
type (
	requestLabels struct {
		route string
		code  int
	}
	introspectionLabels struct{ result, cache string }
)

// found remembers collectors by their labels. A vector of the client library
// hashes the labels under a lock each time; the hot paths have the same few
// again and again. There are as few as there are collectors.
type found[K comparable, V any] struct {
	find  func(K) V
	known atomic.Pointer[map[K]V]
	mu    sync.Mutex // for who adds
}

func once[K comparable, V any](find func(K) V) *found[K, V] {
	f := &found[K, V]{find: find}
	f.known.Store(&map[K]V{})
	return f
}

func (f *found[K, V]) get(labels K) V {
	if v, ok := (*f.known.Load())[labels]; ok {
		return v
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.find(labels)
	next := maps.Clone(*f.known.Load())
	next[labels] = v
	f.known.Store(&next)
	return v
}
