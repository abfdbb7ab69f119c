package edge

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/grantd/grantd/server/apierr"
)

const (
	// maxTokens is how many different tokens are kept. Callers choose scope and
	// resources, so they could otherwise fill the memory.
	maxTokens = 1_000
	// refusedFor is how long a refusal serves everybody who asks for the same.
	refusedFor = time.Second
	// freshAfter is how old a token must be before a caller can have it replaced.
	freshAfter = time.Second
	// leastLeft is how long a token that is handed out still lives, at least; of a
	// short-lived one it is a twentieth of its life.
	leastLeft = 5 * time.Second
	// maxRounds is how many requests a caller waits for.
	maxRounds = 3
)

// source gets tokens for callers and keeps them in memory: one request at a time for
// each kind of token, a new token after 90 % of the life of the old one, and no request
// before the server says that it may be made.
type source struct {
	fetch func(ctx context.Context, k tokenKey) (issued, error)
	count func(result string)
	now   func() time.Time

	mu   sync.Mutex
	kept map[tokenKey]*kept
	held map[string]pause // by client: the server said to wait
}

// kept is a token and the request for its successor.
type kept struct {
	token issued
	used  time.Time     // when it was last asked for
	wait  chan struct{} // closed when the request ends; nil: none runs
	pause pause         // after a refusal
}

// pause is an error that serves everybody until a time.
type pause struct {
	until time.Time
	err   error
}

func newSource(fetch func(context.Context, tokenKey) (issued, error), count func(string)) *source {
	return &source{fetch: fetch, count: count, now: time.Now, kept: map[tokenKey]*kept{}, held: map[string]pause{}}
}

// get returns a token, and how long it still lives. With fresh, it is not one that was
// requested more than a second ago: the caller has seen that one refused.
// Errors: *apierr.Error with what the server said.
func (s *source) get(ctx context.Context, k tokenKey, fresh bool) (issued, time.Duration, error) {
	for range maxRounds {
		s.mu.Lock()
		now := s.now()
		e := s.entry(k, now)
		usable := now.Before(e.token.end()) && !(fresh && now.Sub(e.token.sent) > freshAfter)
		if usable && now.Before(e.token.renewal()) {
			defer s.mu.Unlock()
			return e.token, e.token.left(now), nil
		}
		if p, waits := s.paused(e, k.client, now); waits {
			defer s.mu.Unlock()
			if usable {
				return e.token, e.token.left(now), nil
			}
			return issued{}, 0, p.remaining(now)
		}
		if e.wait == nil {
			e.wait = make(chan struct{})
			go s.renew(context.WithoutCancel(ctx), k, e)
		}
		done := e.wait
		token := e.token
		s.mu.Unlock()
		if usable {
			return token, token.left(now), nil
		}
		select {
		case <-done:
			fresh = false // what came now is as fresh as can be
		case <-ctx.Done():
			return issued{}, 0, errFetch.Because(errLeft)
		}
	}
	return issued{}, 0, errFetch.Because(errors.New("the tokens of the server end as soon as they are issued"))
}

// entry returns what is kept for the key. If there is no room, what was not asked for
// the longest goes. The caller holds mu.
func (s *source) entry(k tokenKey, now time.Time) *kept {
	e := s.kept[k]
	if e == nil {
		if len(s.kept) >= maxTokens {
			s.dropOldest()
		}
		e = &kept{}
		s.kept[k] = e
	}
	e.used = now
	return e
}

func (s *source) dropOldest() {
	var oldest *kept
	var at tokenKey
	for k, e := range s.kept {
		if e.wait == nil && (oldest == nil || e.used.Before(oldest.used)) {
			oldest, at = e, k
		}
	}
	if oldest != nil {
		delete(s.kept, at)
	}
}

// paused returns the pause in which no request may be made. The caller holds mu.
func (s *source) paused(e *kept, client string, now time.Time) (pause, bool) {
	for _, p := range [...]pause{s.held[client], e.pause} {
		if now.Before(p.until) {
			return p, true
		}
	}
	return pause{}, false
}

// renew requests a token and wakes all who wait for it.
func (s *source) renew(ctx context.Context, k tokenKey, e *kept) {
	token, err := s.fetch(ctx, k)
	s.count(resultOf(err))
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if err == nil {
		e.token, e.pause = token, pause{}
	} else {
		e.pause = pause{now.Add(refusedFor), err}
		if wait, ok := mustWait(err); ok {
			s.held[k.client] = pause{now.Add(wait), err}
		}
	}
	close(e.wait)
	e.wait = nil
}

// mustWait returns how long the server wants no request from the client.
func mustWait(err error) (time.Duration, bool) {
	e, ok := errors.AsType[*apierr.Error](err)
	return max(e.RetryAfter, 0), ok && e.RetryAfter > 0
}

// remaining returns the error for a caller who asks in the pause.
func (p pause) remaining(now time.Time) error {
	if e, ok := errors.AsType[*apierr.Error](p.err); ok && e.RetryAfter > 0 {
		return e.After(p.until.Sub(now))
	}
	return p.err
}

// size returns how many tokens are kept.
func (s *source) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.kept)
}

// left returns how long the token still lives.
func (t issued) left(now time.Time) time.Duration { return t.sent.Add(t.life).Sub(now) }

// renewal returns when its successor is requested.
func (t issued) renewal() time.Time { return t.sent.Add(t.life / 10 * 9) }

// end returns until when it is handed out.
func (t issued) end() time.Time { return t.sent.Add(t.life - min(leastLeft, t.life/20)) }
