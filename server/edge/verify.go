package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/oauth"
)

const (
	// rememberFor is how long a result of the server counts.
	rememberFor = time.Second
	// checksPerSecond bounds how many secrets are checked at the server, except those that
	// it has accepted.
	checksPerSecond = 5
	// mostRight bounds how many secrets are remembered that the server has accepted.
	mostRight = 16
)

// Results of a check, for the metrics.
const (
	secretRight       = "right"
	secretWrong       = "wrong"
	secretUnavailable = "unavailable"
	secretLimited     = "limited"
)

var (
	errChecks = apierr.New(apierr.TooManyRequests, "too many secrets that this process does not know: wait as long as Retry-After says").After(time.Second)
	errLeft   = errors.New("the caller did not wait for the server")
	errAsk    = apierr.New(apierr.Unavailable, "the secret cannot be checked, because the server cannot be asked; try again")
)

// verifier asks the server whether a secret that is not in a file is right: while an
// operator replaces a secret, the server accepts both, and callers may have the other
// one. Guesses must not become a flood of requests, so callers with one secret share a
// request, and all secrets share a budget. A secret that was right does not count
// against it: guesses of others must not keep it out.
type verifier struct {
	hash  *hasher
	ask   func(ctx context.Context, id, secret string) (bool, error)
	count func(result string)
	now   func() time.Time

	mu     sync.Mutex
	known  map[digest]*check
	right  []digest // of secrets whose last result was right, the latest at the end
	budget float64
	at     time.Time // when the budget was last counted
}

// check is a request that runs, or its result. No secret outlives its request.
type check struct {
	sent  time.Time
	done  chan struct{}
	right bool
	err   error
}

func newVerifier(u *upstream, h *hasher, count func(result string)) *verifier {
	return &verifier{hash: h, ask: u.authenticates, count: count, now: time.Now, known: map[digest]*check{}, budget: checksPerSecond}
}

// check reports whether the server accepts the secret of the client. A result is at
// most a second old.
// Errors: apierr.TooManyRequests, Unavailable.
func (v *verifier) check(ctx context.Context, id, secret string) (bool, error) {
	d := v.hash.of(id, secret)
	c, err := v.join(ctx, d, id, secret)
	if err != nil {
		return false, err
	}
	select {
	case <-c.done:
		return c.right, c.err
	case <-ctx.Done():
		return false, errAsk.Because(errLeft)
	}
}

// join returns the check of this secret that runs or has just ended, or begins one.
func (v *verifier) join(ctx context.Context, d digest, id, secret string) (*check, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	for other, c := range v.known { // there are few
		if now.Sub(c.sent) >= rememberFor && isDone(c) {
			delete(v.known, other)
		}
	}
	if c := v.known[d]; c != nil {
		return c, nil
	}
	v.budget = min(checksPerSecond, v.budget+now.Sub(v.at).Seconds()*checksPerSecond)
	v.at = now
	if !slices.Contains(v.right, d) {
		if v.budget < 1 || len(v.known) >= 4*checksPerSecond {
			v.count(secretLimited)
			return nil, errChecks
		}
		v.budget--
	}
	c := &check{sent: now, done: make(chan struct{})}
	v.known[d] = c
	go v.run(context.WithoutCancel(ctx), c, d, id, secret)
	return c, nil
}

func isDone(c *check) bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (v *verifier) run(ctx context.Context, c *check, d digest, id, secret string) {
	defer close(c.done)
	right, err := v.ask(ctx, id, secret)
	if err == nil {
		v.remember(d, right)
	}
	switch {
	case err != nil:
		c.err = errAsk.Because(err)
		v.count(secretUnavailable)
	case right:
		c.right = true
		v.count(secretRight)
	default:
		v.count(secretWrong)
	}
}

// remember notes whether the server accepted the secret.
func (v *verifier) remember(d digest, right bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.right = slices.DeleteFunc(v.right, func(other digest) bool { return other == d })
	if !right {
		return
	}
	if len(v.right) == mostRight {
		v.right = slices.Delete(v.right, 0, 1)
	}
	v.right = append(v.right, d)
}

// notAToken is introspected to find out whether a client authenticates. It has a space,
// so it cannot be one.
const notAToken = "no token"

// authenticates reports whether the server accepts the client's secret. Errors: it did
// not say.
func (u *upstream) authenticates(ctx context.Context, id, secret string) (bool, error) {
	r, err := u.post(ctx, oauth.PathIntrospect, id, secret, url.Values{"token": {notAToken}})
	if err != nil {
		return false, err
	}
	switch r.status {
	case http.StatusOK, http.StatusForbidden: // 403: a client, and not a resource server
		return true, nil
	case http.StatusUnauthorized:
		return false, nil
	case http.StatusTooManyRequests:
		return false, errors.New("the server refuses further attempts for now (status 429)")
	}
	return false, fmt.Errorf("the server responded with status %d", r.status)
}
