package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/poll"
)

// trips counts round trips and what they carried.
type trips struct {
	mu             sync.Mutex
	count, carried int
}

func (n *trips) add(commands int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count++
	n.carried += commands
}

func (n *trips) reset() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count, n.carried = 0, 0
}

func (n *trips) get() (count, carried int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count, n.carried
}

func named(i int) store.Digest { return store.Digest{byte(i), byte(i >> 8), 1} }

// TestCommandsShareRoundTrips: those who come while Redis does not answer go
// together once it does, each with an answer of its own; nothing is sent
// twice.
func TestCommandsShareRoundTrips(t *testing.T) {
	server := redistest.Start(t)
	var n trips
	s := open(t, server.Addr, func(o *redisstore.Options) {
		o.OnTrip = n.add
		o.ReadTimeout, o.WriteTimeout = patience, patience
	})
	const each = 200
	n.reset()
	server.Pause()
	var all sync.WaitGroup
	for i := range each {
		all.Go(func() {
			token := ordinary(time.Now())
			token.ClientID = fmt.Sprintf("client-%d", i)
			if err := s.PutToken(t.Context(), named(i), token); err != nil {
				t.Errorf("put %d: %v", i, err)
			}
			if got, err := s.GetToken(t.Context(), named(i)); err != nil || got.ClientID != token.ClientID {
				t.Errorf("get %d: client %q, error %v", i, got.ClientID, err)
			}
			if _, err := s.GetToken(t.Context(), named(each+i)); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("get of none: %v", err)
			}
		})
	}
	server.Resume()
	all.Wait()
	if count, carried := n.get(); carried != 3*each || count > carried/4 {
		t.Errorf("%d commands in %d round trips, want %d in a quarter of that at most", carried, count, 3*each)
	}
}

// TestLoneCommandDoesNotWait: there is no timer and nothing to fill.
func TestLoneCommandDoesNotWait(t *testing.T) {
	var n trips
	s := open(t, redistest.Start(t).Addr, func(o *redisstore.Options) { o.OnTrip = n.add })
	n.reset()
	const each = 20
	for i := range each {
		if _, err := s.GetToken(within(t), named(i)); !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if count, carried := n.get(); count != each || carried != each {
		t.Errorf("%d commands in %d round trips, want %d in as many", carried, count, each)
	}
}

// TestEachKeepsItsDeadline: who is cancelled while Redis hangs is answered at
// once, and who waits longer still gets an answer. What is queued behind a
// round trip and given up is not sent at all.
func TestEachKeepsItsDeadline(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.Addr, func(o *redisstore.Options) { o.ReadTimeout, o.WriteTimeout = patience, patience })
	token := ordinary(time.Now())
	server.Pause()
	var patient sync.WaitGroup
	put := func(from, to int) {
		for i := from; i < to; i++ {
			patient.Go(func() {
				if err := s.PutToken(t.Context(), named(i), token); err != nil {
					t.Errorf("who waits: %v", err)
				}
			})
		}
	}
	underWay := func(want int) {
		poll.AwaitTrue(t, patience, "round trips are under way and nobody waits", func() bool {
			flights, waiting := s.Writes()
			return flights == want && waiting == 0
		})
	}
	put(0, 1)
	underWay(1)
	put(1, 1+redisstore.SecondFlightAt)
	underWay(2)
	var hasty sync.WaitGroup
	for i := range 50 {
		hasty.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			at := time.Now()
			err := s.PutToken(ctx, named(1000+i), token)
			if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who gave up: %v", err)
			}
			if took := time.Since(at); took > patience/2 {
				t.Errorf("who gave up waited %v", took)
			}
		})
	}
	hasty.Wait()
	server.Resume()
	patient.Wait()
	for i := range 1 + redisstore.SecondFlightAt {
		if _, err := s.GetToken(within(t), named(i)); err != nil {
			t.Errorf("what was waited for: %v", err)
		}
	}
	poll.AwaitTrue(t, patience, "nothing is under way", func() bool {
		flights, waiting := s.Writes()
		return flights == 0 && waiting == 0
	})
	for i := range 50 {
		if _, err := s.GetToken(within(t), named(1000+i)); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("sent although its caller had gone: %v", err)
		}
	}
}

// TestAllLearnThatRedisHangs from the first round trips: none waits for those
// of others, however many there are.
func TestAllLearnThatRedisHangs(t *testing.T) {
	server := redistest.Start(t)
	var n trips
	s := open(t, server.Addr, func(o *redisstore.Options) {
		o.OnTrip = n.add
		o.ReadTimeout, o.WriteTimeout = 300*time.Millisecond, 300*time.Millisecond
	})
	server.Pause()
	defer server.Resume()
	n.reset()
	const waiting = 3000
	var all sync.WaitGroup
	for i := range waiting {
		all.Go(func() {
			if _, err := s.GetToken(t.Context(), named(i)); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("get %d: %v", i, err)
			}
		})
	}
	all.Wait()
	if count, carried := n.get(); carried != waiting || count > 3*2 {
		t.Errorf("%d commands were told in %d round trips that nobody answered", carried, count)
	}
}

// TestRefusedConnectionAnswersNobody: what Redis says to a new connection
// (here WRONGPASS) is the error of every command that was to go by it.
func TestRefusedConnectionAnswersNobody(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	r := raw(t, server.Addr)
	password := func(p string) {
		if err := r.ConfigSet(within(t), "requirepass", p).Err(); err != nil {
			t.Fatal(err)
		}
	}
	password("first")
	s := open(t, server.Addr, func(o *redisstore.Options) { o.Password = "first" })
	password("second")
	if err := r.ClientKillByFilter(within(t), "type", "normal", "skipme", "yes").Err(); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			if _, err := s.GetToken(t.Context(), named(i)); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("get %d: %v", i, err)
			}
		})
	}
	all.Wait()
}

// TestEachKeepsItsError: a record that is of another type fails alone.
func TestEachKeepsItsError(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.Addr, func(o *redisstore.Options) { o.ReadTimeout, o.WriteTimeout = patience, patience })
	r := raw(t, server.Addr)
	if err := s.PutToken(within(t), named(1), ordinary(time.Now())); err != nil {
		t.Fatal(err)
	}
	if err := r.LPush(within(t), tokenKey(t, r, 2), "x").Err(); err != nil {
		t.Fatal(err)
	}
	server.Pause()
	var all sync.WaitGroup
	for range 20 {
		for i, want := range []error{store.ErrNotFound, nil, store.ErrUnknownRecord} {
			all.Go(func() {
				if _, err := s.GetToken(t.Context(), named(i)); !errors.Is(err, want) {
					t.Errorf("token %d: %v, want %v", i, err, want)
				}
			})
		}
	}
	server.Resume()
	all.Wait()
}

// tokenKey answers the key of named(i), by the one of named(1), which is
// there.
func tokenKey(t *testing.T, r *redis.Client, i int) string {
	t.Helper()
	keys, err := r.Keys(within(t), "grantd:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	d := named(1)
	for _, k := range keys {
		if n := len(k) - len(d); n > 0 && k[n:] == string(d[:]) {
			d = named(i)
			return k[:n] + string(d[:])
		}
	}
	t.Fatalf("no key of a token among %q", keys)
	return ""
}
