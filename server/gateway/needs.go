package gateway

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// Bounds of needs.
const (
	mostNeeds = 256
	maxKept   = 1024 // bytes of a query
)

// needs remembers what queries ask for: a gateway has a few, and sends one with each
// call. Queries with mistakes are read again.
type needs struct {
	known atomic.Pointer[map[string]Need]
	mu    sync.Mutex // held to add one
}

// of returns what readNeed returns. accepted must be the same at each call.
func (n *needs) of(query string, accepted []string) (Need, error) {
	known := n.known.Load()
	if known != nil {
		if need, ok := (*known)[query]; ok {
			return need, nil
		}
	}
	need, err := readNeed(query, accepted)
	if err == nil && len(query) <= maxKept {
		n.add(strings.Clone(query), need)
	}
	return need, err
}

// add remembers a query unless there are many already.
func (n *needs) add(query string, need Need) {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := map[string]Need{}
	if known := n.known.Load(); known != nil {
		if len(*known) >= mostNeeds {
			return
		}
		next = maps.Clone(*known)
	}
	next[query] = need
	n.known.Store(&next)
}
