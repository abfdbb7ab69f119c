package guard

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Times of the follower.
const (
	reopenAfter  = 10 * time.Minute // so that clocks of different rates do not add up
	firstPause   = 100 * time.Millisecond
	mostPause    = 10 * time.Second
	longestPause = time.Minute // whatever the server asks for
	retryOverlap = 30 * time.Second
	lookAgain    = 2 * time.Second  // whether a file holds another secret
	compareAgain = 10 * time.Minute // the registration, without a stream
)

// follower keeps one stream of revocations open. It opens the next one before it
// closes the last, so that nothing is missed and the view stays fresh.
type follower struct {
	g        *Guard
	current  *running
	next     *running // meant to take over from current
	failures int      // in a row
	timer    *time.Timer
	counted  chan *running // it confirmed the view for the first time
	ended    chan *running
	links    sync.WaitGroup
}

// running is a link with the goroutine that reads it.
type running struct {
	link   *link
	cancel context.CancelFunc
	err    error // once it has ended
}

func newFollower(g *Guard) *follower {
	return &follower{g: g, counted: make(chan *running), ended: make(chan *running)}
}

// run follows until the guard is closed.
func (f *follower) run() {
	defer f.links.Wait()
	f.timer = time.NewTimer(0)
	defer f.timer.Stop()
	for {
		select {
		case <-f.g.ctx.Done():
			return
		case <-f.timer.C:
			f.open()
		case r := <-f.counted:
			f.took(r)
		case r := <-f.ended:
			f.lost(r)
		}
	}
}

// open opens a link: the only one, or the one that takes over.
func (f *follower) open() {
	g := f.g
	ctx, cancel := context.WithCancel(g.ctx)
	r := &running{cancel: cancel}
	r.link = &link{
		client: g.client, view: g.view, cursor: g.view.open(), max: g.cfg.MaxStaleness, brief: g.cfg.NoStream, heard: g.heard, connected: &g.connected,
		ready: func() { tell(ctx, f.counted, r) },
	}
	if f.current == nil {
		f.current = r
	} else {
		f.next = r
	}
	g.count.streams.Add(1)
	f.links.Go(func() {
		defer cancel()
		r.err = r.link.run(ctx)
		if r.link.begun {
			g.connected.Add(-1)
		}
		tell(g.ctx, f.ended, r)
	})
}

func tell(ctx context.Context, to chan<- *running, r *running) {
	select {
	case to <- r:
	case <-ctx.Done():
	}
}

// took notes that a link confirms the view. If it is the next one, it takes over.
func (f *follower) took(r *running) {
	switch r {
	case f.next:
		f.current.cancel()
		f.current, f.next = r, nil
	case f.current:
	default:
		return
	}
	f.failures = 0
	if known := f.g.registration.Load(); known != nil && known.err == nil {
		f.g.problems.over()
		f.g.unasked.over() // it can be reached; if it refuses to say more, the next look-up notes that
	}
	f.timer.Reset(jitter(reopenAfter))
}

// lost notes that a link has ended, and decides when to open another one.
func (f *follower) lost(r *running) {
	switch {
	case f.g.ctx.Err() != nil:
		return
	case r == f.next:
		f.next = nil
		f.judge(r.err)
		f.timer.Reset(jitter(retryOverlap))
		return
	case r != f.current:
		return // it was replaced
	case f.next != nil:
		f.current, f.next = f.next, nil
		return
	}
	f.current = nil
	if r.err == nil { // without a stream: the registration was read
		f.failures = 0
		f.g.problems.over()
		f.timer.Reset(jitter(compareAgain))
		return
	}
	if f.judge(r.err) {
		return
	}
	f.failures++
	f.timer.Reset(f.pause(r))
}

// judge draws conclusions from the end of a link. It reports whether nothing more is
// to be done.
func (f *follower) judge(err error) (done bool) {
	g := f.g
	var status *upstreamError
	var config *configError
	switch {
	case errors.Is(err, errRetired):
		return false
	case errors.Is(err, errNoStream) && g.cfg.NoStream:
		g.unchecked()
		f.timer.Reset(jitter(compareAgain))
		return true
	case errors.As(err, &config):
		g.report(err)
	case errors.As(err, &status) && (status.status == http.StatusUnauthorized || status.status == http.StatusForbidden):
		g.view.forget(g.clock()) // what was said to this resource server is not meant for it any more
		g.report(&configError{err})
	}
	g.problems.note(err)
	return false
}

// pause returns how long to wait before the next link: as long as the server asks for,
// or a time that grows with each failure. It differs between guards, so that they do
// not come back at once.
func (f *follower) pause(r *running) time.Duration {
	var status *upstreamError
	switch {
	case r.link.retry > 0:
		return r.link.retry // the server has spread its readers
	case errors.As(r.err, &status) && status.after > 0:
		after := min(status.after, longestPause)
		if status.status == http.StatusUnauthorized {
			after = min(after, lookAgain)
		}
		return after + rand.N(after/4+1)
	}
	return backoff(f.failures)
}

// backoff returns the pause after a number of failures in a row, 1 or more.
func backoff(failures int) time.Duration {
	d := min(firstPause<<min(failures-1, 10), mostPause)
	return d/2 + rand.N(d/2+1)
}

// jitter returns a time about as long as d.
func jitter(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5) }
