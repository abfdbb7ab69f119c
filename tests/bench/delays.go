package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/grantd/grantd/scopes/guard"
)

const (
	// revocations is how many tokens are revoked through each resource server.
	revocations = 100
	// delayRate is how many requests per second there are meanwhile.
	delayRate = 1000
	// revokeEvery is the time between two revocations.
	revokeEvery = 30 * time.Millisecond
)

// delay is how soon a resource server refused revoked tokens.
type delay struct {
	Through  string  `json:"through"`
	Requests float64 `json:"requests_per_second"`
	Count    int     `json:"revocations"`
	// From the acknowledgement to the first refusal.
	P50  float64 `json:"p50_ms"`
	P99  float64 `json:"p99_ms"`
	Most float64 `json:"most_ms"`
}

// verdicts asks about a token: whether it is active.
type verdicts func(ctx context.Context, token string) (active bool, err error)

// delays revokes tokens under the load of the guard, and others under that of the edge.
func (l *callLab) delays(ctx context.Context) ([]delay, error) {
	var all []delay
	for i, through := range []struct {
		name string
		ask  verdicts
	}{{wayGuard, l.askGuard}, {wayEdge, l.askEdge}} {
		d, err := l.delaysThrough(ctx, through.ask, l.revoking[i*revocations:(i+1)*revocations])
		if err != nil {
			return nil, fmt.Errorf("revocations through %s: %w", through.name, errors.Join(err, l.grantd.alive(), l.edge.alive()))
		}
		d.Through = through.name
		all = append(all, d)
	}
	return all, nil
}

func (l *callLab) askGuard(ctx context.Context, token string) (bool, error) {
	_, err := l.guard.Check(ctx, token, guard.Need{Scopes: []string{"users:read"}})
	var refusal *guard.Refusal
	if errors.As(err, &refusal) && refusal.Status == http.StatusUnauthorized {
		return false, nil
	}
	return err == nil, err
}

func (l *callLab) askEdge(ctx context.Context, token string) (bool, error) {
	body, err := l.post(ctx, l.edge.at+pathIntrospect, l.grantd.server, token)
	return strings.HasPrefix(body, active.starts), err
}

// post posts a form with a token, and returns the body of a response of 200.
func (l *callLab) post(ctx context.Context, at string, c credentials, token string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(url.Values{"token": {token}}.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", typeForm)
	req.SetBasicAuth(c.ID, c.Secret)
	return readOK(l.http.Do(req))
}

// readOK returns the body of a response of 200.
func readOK(res *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %d %s", res.Request.URL.Path, res.StatusCode, b)
	}
	return string(b), err
}

// delaysThrough revokes the tokens, one after another, under a load.
func (l *callLab) delaysThrough(ctx context.Context, ask verdicts, tokens []string) (delay, error) {
	for _, token := range append(slices.Clone(l.list), tokens...) {
		if is, err := ask(ctx, token); err != nil || !is {
			return delay{}, errors.Join(err, fmt.Errorf("active before: %v", is))
		}
	}
	loading, stop := context.WithCancel(ctx)
	var d delay
	var loadErr error
	var load sync.WaitGroup
	load.Go(func() { d.Requests, loadErr = paced(loading, delayRate, ask, l.list) })
	var waits []float64
	var err error
	for _, token := range tokens {
		var wait time.Duration
		if wait, err = l.revokeAndWait(ctx, ask, token); err != nil {
			break
		}
		waits = append(waits, float64(wait.Microseconds())/1e3)
		time.Sleep(revokeEvery) // between two revocations
	}
	stop()
	load.Wait()
	if err = errors.Join(err, loadErr); err != nil {
		return d, err
	}
	slices.Sort(waits)
	d.Count, d.P50, d.P99, d.Most = len(waits), waits[len(waits)/2], waits[len(waits)*99/100], waits[len(waits)-1]
	return d, nil
}

// revokeAndWait revokes a token, and returns how long after the acknowledgement it was
// refused.
func (l *callLab) revokeAndWait(ctx context.Context, ask verdicts, token string) (time.Duration, error) {
	if _, err := l.post(ctx, l.grantd.url+"/oauth/revoke", l.grantd.client, token); err != nil {
		return 0, err
	}
	acked := time.Now()
	for {
		is, err := ask(ctx, token)
		if err != nil {
			return 0, err
		}
		waited := time.Since(acked)
		if !is {
			return waited, nil
		}
		if waited > 5*time.Second {
			return 0, errors.New("a revoked token is still active after 5 s")
		}
		time.Sleep(500 * time.Microsecond) // between two questions
	}
}

// paced asks about live tokens at a rate until ctx ends, and returns how many requests
// there were per second.
func paced(ctx context.Context, rate int, ask verdicts, tokens []string) (perSecond float64, err error) {
	const callers = 16
	work := make(chan string, callers)
	failed := make(chan error, callers)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for token := range work {
				if is, err := ask(context.WithoutCancel(ctx), token); err != nil || !is {
					select {
					case failed <- fmt.Errorf("a live token: active %v, %w", is, err):
					default:
					}
				}
			}
		})
	}
	n, began := 0, time.Now()
	for ctx.Err() == nil {
		time.Sleep(time.Until(began.Add(time.Duration(n) * time.Second / time.Duration(rate))))
		work <- tokens[n%len(tokens)]
		n++
	}
	took := time.Since(began)
	close(work)
	all.Wait()
	select {
	case err = <-failed:
	default:
	}
	return float64(n) / took.Seconds(), err
}
