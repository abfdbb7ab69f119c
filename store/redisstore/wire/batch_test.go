package wire_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/poll"
)

// TestCommandsShareRoundTrips: commands that arrive while Redis does not reply
// go together once it does. Each gets the right reply, and none is sent twice.
func TestCommandsShareRoundTrips(t *testing.T) {
	server := redistest.Start(t)
	var n trips
	c := connect(t, server, func(o *wire.Options) { o.OnTrip = n.add })
	const each = 200
	server.Pause()
	var all sync.WaitGroup
	for i := range each {
		all.Go(func() {
			want := fmt.Sprintf("client-%d", i)
			if err := put(t.Context(), c, named(i), want); err != nil {
				t.Errorf("put %d: %v", i, err)
			}
			if got, err := get(t.Context(), c, named(i)); err != nil || got != want {
				t.Errorf("get %d: %q, error %v", i, got, err)
			}
			if got, err := get(t.Context(), c, named(each+i)); err != nil || got != "" {
				t.Errorf("get of an unknown key: %q, error %v", got, err)
			}
		})
	}
	server.Resume()
	all.Wait()
	if count, carried := n.get(); carried != 3*each || count > carried/4 {
		t.Errorf("%d commands in %d round trips, want %d in a quarter of that at most", carried, count, 3*each)
	}
}

// TestSingleCommandDoesNotWait: there is no timer and no batch to fill.
func TestSingleCommandDoesNotWait(t *testing.T) {
	var n trips
	c := connect(t, redistest.Start(t), func(o *wire.Options) { o.OnTrip = n.add })
	const each = 20
	for i := range each {
		if _, err := get(within(t), c, named(i)); err != nil {
			t.Fatal(err)
		}
	}
	if count, carried := n.get(); count != each || carried != each {
		t.Errorf("%d commands in %d round trips, want %d in as many", carried, count, each)
	}
}

// TestEachKeepsItsDeadline: while Redis hangs, a caller that is cancelled
// returns at once, and a caller that waits longer still gets its reply. A
// command that is given up while it is queued is not sent.
func TestEachKeepsItsDeadline(t *testing.T) {
	server := redistest.Start(t)
	c := connect(t, server)
	server.Pause()
	var patient sync.WaitGroup
	putAll := func(from, to int) {
		for i := from; i < to; i++ {
			patient.Go(func() {
				if err := put(t.Context(), c, named(i), "x"); err != nil {
					t.Errorf("patient caller: %v", err)
				}
			})
		}
	}
	awaitFlights := func(want int) {
		t.Helper()
		poll.AwaitTrue(t, patience, fmt.Sprintf("%d round trips are under way and no command waits", want), func() bool {
			flights, waiting := c.Writes()
			return flights == want && waiting == 0
		})
	}
	putAll(0, 1)
	awaitFlights(1)
	putAll(1, 1+wire.SecondFlightAt)
	awaitFlights(2)
	var hasty sync.WaitGroup
	for i := range 50 {
		hasty.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			at := time.Now()
			err := put(ctx, c, named(1000+i), "x")
			if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("hasty caller: %v", err)
			}
			if took := time.Since(at); took > patience/2 {
				t.Errorf("hasty caller waited %v", took)
			}
		})
	}
	hasty.Wait()
	server.Resume()
	patient.Wait()
	for i := range 1 + wire.SecondFlightAt {
		if got, err := get(within(t), c, named(i)); err != nil || got != "x" {
			t.Errorf("key of a patient caller: %q, error %v", got, err)
		}
	}
	awaitFlights(0)
	for i := range 50 {
		if got, err := get(within(t), c, named(1000+i)); err != nil || got != "" {
			t.Fatalf("sent although its caller had left: %q, error %v", got, err)
		}
	}
}

// TestAllLearnThatRedisHangs: every caller fails with the first round trips.
// None waits for the round trips of others, however many callers there are.
func TestAllLearnThatRedisHangs(t *testing.T) {
	server := redistest.Start(t)
	var n trips
	c := connect(t, server, func(o *wire.Options) {
		o.OnTrip = n.add
		o.ReadTimeout, o.WriteTimeout = 300*time.Millisecond, 300*time.Millisecond
	})
	if err := put(within(t), c, named(0), "x"); err != nil { // it is connected now
		t.Fatal(err)
	}
	_, before := n.get()
	server.Pause()
	defer server.Resume()
	const waiting = 3000
	var all sync.WaitGroup
	for i := range waiting {
		all.Go(func() {
			if _, err := get(t.Context(), c, named(i)); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("get %d: %v", i, err)
			}
		})
	}
	all.Wait()
	if count, carried := n.get(); carried-before != waiting || count-1 > 3*2 {
		t.Errorf("%d commands failed after %d round trips without a reply", carried-before, count-1)
	}
}

// TestRefusedConnectionFailsEveryCommand: what Redis replies to a new
// connection (here WRONGPASS) is the error of every command that was to use it.
func TestRefusedConnectionFailsEveryCommand(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	r := raw(t, server)
	setPassword := func(p string) {
		if err := r.ConfigSet(within(t), "requirepass", p).Err(); err != nil {
			t.Fatal(err)
		}
	}
	setPassword("first")
	c := connect(t, server, func(o *wire.Options) { o.Login.Password = func() (string, error) { return "first", nil } })
	if err := put(within(t), c, named(0), "x"); err != nil {
		t.Fatal(err)
	}
	setPassword("second")
	if err := r.ClientKillByFilter(within(t), "type", "normal", "skipme", "yes").Err(); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			if _, err := get(t.Context(), c, named(i)); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("get %d: %v", i, err)
			}
		})
	}
	all.Wait()
}

// TestEachKeepsItsError: a key of another type fails alone.
func TestEachKeepsItsError(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c, r := connect(t, server), raw(t, server)
	if err := put(within(t), c, named(1), "x"); err != nil {
		t.Fatal(err)
	}
	if err := r.LPush(within(t), named(2), "x").Err(); err != nil {
		t.Fatal(err)
	}
	server.Pause()
	var all sync.WaitGroup
	for range 20 {
		for i, want := range []error{nil, nil, store.ErrUnknownRecord} {
			all.Go(func() {
				if _, err := get(t.Context(), c, named(i)); !errors.Is(err, want) {
					t.Errorf("key %d: %v, want %v", i, err, want)
				}
			})
		}
	}
	server.Resume()
	all.Wait()
}
