package stream

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/refusal"
)

// Limits bound the streams of this replica.
type Limits struct {
	Readers   int // limits.revocation_readers
	PerClient int // limits.revocation_readers_per_client
}

const (
	// A client opens at most openBurst streams at once, and openRate in each second
	// after that.
	openBurst = 1000
	openRate  = 200
	// fullWait is how long a client waits that has a stream too many, or if the replica
	// does, and rateWait one that opens them too fast.
	fullWait = 5 * time.Second
	rateWait = time.Second
	// mostDoors is how many clients are remembered that have no stream.
	mostDoors = 1024
	// The last reserve-th part of the streams is for clients that have fewStreams at
	// most: one that opens all that it may leaves something for the others.
	reserve, fewStreams = 8, 16
)

// Why a stream is refused, for the metrics: the cause in the log, if there is one.
const (
	RefusedReplica  = string(refusal.StreamsOfReplica)
	RefusedClient   = string(refusal.StreamsOfClient)
	RefusedRate     = string(refusal.StreamRate)
	RefusedDraining = "draining" // this replica is about to stop
)

// Refusals lists them.
var Refusals = []string{RefusedReplica, RefusedClient, RefusedRate, RefusedDraining}

var (
	errReplica  = apierr.New(apierr.TooManyRequests, "this replica has all the streams that it can have: wait as long as Retry-After says").Because(refusal.StreamsOfReplica)
	errClient   = apierr.New(apierr.TooManyRequests, "this client has all the streams that it may have: wait as long as Retry-After says").Because(refusal.StreamsOfClient)
	errRate     = apierr.New(apierr.TooManyRequests, "this client opens streams too fast: wait as long as Retry-After says").Because(refusal.StreamRate)
	errDraining = apierr.New(apierr.Unavailable, "this replica is about to stop: open the stream again")
)

// doors count the streams.
type doors struct {
	limits Limits
	open   atomic.Int64
	mu     sync.Mutex
	of     map[string]*door // by client
}

// door is that of a client.
type door struct {
	open int
	left float64 // how many streams it may open now
	at   time.Time
}

func (d *doors) init(l Limits) { d.limits, d.of = l, map[string]*door{} }

// enter counts a stream of the client. Leave must be called at its end.
func (d *doors) enter(clientID string, now time.Time) (refused string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.of[clientID]
	if c == nil {
		d.forget(now)
		c = &door{left: openBurst, at: now}
		d.of[clientID] = c
	}
	c.left = min(openBurst, c.left+now.Sub(c.at).Seconds()*openRate)
	c.at = now
	switch {
	case c.left < 1:
		return RefusedRate, errRate.After(rateWait)
	case c.open >= d.limits.PerClient:
		return RefusedClient, errClient.After(fullWait)
	case int(d.open.Load()) >= d.limits.Readers, c.open >= fewStreams && int(d.open.Load()) >= d.limits.Readers-d.limits.Readers/reserve:
		return RefusedReplica, errReplica.After(fullWait)
	}
	c.left--
	c.open++
	d.open.Add(1)
	return "", nil
}

func (d *doors) leave(clientID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.of[clientID].open--
	d.open.Add(-1)
}

// forget drops what says nothing, if much is remembered.
func (d *doors) forget(now time.Time) {
	if len(d.of) < mostDoors {
		return
	}
	for id, c := range d.of {
		if c.open == 0 && c.left+now.Sub(c.at).Seconds()*openRate >= openBurst {
			delete(d.of, id)
		}
	}
}
