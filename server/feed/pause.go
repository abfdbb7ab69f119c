package feed

import (
	"sync"
	"time"
)

const (
	// shortestPause and longestPause bound the time between two rounds that
	// fail: a store that refuses at once must not keep a core busy. It doubles
	// with each failure.
	shortestPause = 100 * time.Millisecond
	longestPause  = time.Second
)

// pause is the time after a failed round in which no other one may begin,
// whether the follower or a request wants it.
type pause struct {
	mu    sync.Mutex
	next  time.Duration
	until time.Time
	err   error // of the last round
}

// failed begins a pause.
func (p *pause) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = min(max(2*p.next, shortestPause), longestPause)
	p.until, p.err = time.Now().Add(p.next), err
}

// end ends the pause, because the store works.
func (p *pause) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next, p.until, p.err = 0, time.Time{}, nil
}

// left returns how long the pause still lasts, and the error that began it.
func (p *pause) left() (time.Duration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(0, time.Until(p.until)), p.err
}
