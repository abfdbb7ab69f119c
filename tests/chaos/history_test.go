//go:build chaos

package chaos_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// staleness is cache.max_staleness of every replica, the shortest there is.
	staleness = 500 * time.Millisecond
	// slack is what is added to it before something counts as late. A request
	// counts from when it is sent, so a busy machine needs none.
	slack = 250 * time.Millisecond
)

// fact is something that has ended, as a response has said.
type fact struct {
	what  string
	token bool      // an access token: if it lives it is late, and not "ended alive"
	acked time.Time // when the response came
	try   attempt
	found atomic.Bool // that it lives was counted
	tried atomic.Bool // there was a clear response
}

// part is something that lives, as responses have said.
type part struct {
	what string
	try  attempt
}

// history is what was acknowledged in a lab. Safe for concurrent use.
type history struct {
	acknowledged atomic.Int64
	endings      atomic.Int64
	mu           sync.Mutex
	ended        []*fact
	resting      []*family // that no worker has
}

// end writes down that something has ended with the response that has just come.
func (h *history) end(what string, token bool, try attempt) *fact {
	h.endings.Add(1)
	f := &fact{what: what, token: token, acked: time.Now(), try: try}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = append(h.ended, f)
	return f
}

// lift takes the facts back: what they are about was made to work again.
func (h *history) lift(facts []*fact) {
	h.drop(func(f *fact) bool {
		for _, lifted := range facts {
			if f == lifted {
				return true
			}
		}
		return false
	})
}

// drop forgets the facts for which out returns true.
func (h *history) drop(out func(*fact) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var kept []*fact
	for _, f := range h.ended {
		if !out(f) {
			kept = append(kept, f)
		}
	}
	h.ended = kept
}

// keep lets a family rest until it is checked, or until another worker takes it.
func (h *history) keep(f *family) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.resting = append(h.resting, f)
}

func (h *history) rests() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.resting)
}

// take returns a family that rests, or nil: what was made before a fault, or before
// a copy of the store, ends after it.
func (h *history) take() *family {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := len(h.resting) - 1
	if last < 0 {
		return nil
	}
	i := rand.IntN(last + 1)
	f := h.resting[i]
	h.resting[i] = h.resting[last]
	h.resting = h.resting[:last]
	return f
}

// some returns up to n facts: the newest half and others at random.
func (h *history) some(n int) []*fact {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ended) <= n {
		return append([]*fact(nil), h.ended...)
	}
	newest := len(h.ended) - n/2
	list := append([]*fact(nil), h.ended[newest:]...)
	for range n / 2 {
		list = append(list, h.ended[rand.IntN(newest)])
	}
	return list
}

// random returns a fact, or nil if there is none.
func (h *history) random() *fact {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ended) == 0 {
		return nil
	}
	if recent := min(len(h.ended), 50); rand.IntN(2) == 0 {
		return h.ended[len(h.ended)-1-rand.IntN(recent)]
	}
	return h.ended[rand.IntN(len(h.ended))]
}
