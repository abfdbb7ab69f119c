//go:build chaos

package chaos_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

const (
	workers = 24
	// watchers try all the time what has ended.
	watchers = 2
	// think is how long a worker pauses between two operations. It bounds how many
	// there are on the embedded store, where they take no time.
	think = 15 * time.Millisecond
	// stepsOfFamily is after how many operations a worker lets a family rest, so
	// that what lives in it can be checked.
	stepsOfFamily = 4
	baseFamilies  = 3
	// minResting families and minEndings ends make a round worth its time. mostWork
	// bounds the wait for them.
	minResting, minEndings = 20, 20
	mostWork               = 10 * time.Second
)

// lab is one store with the replicas on it, and what they have acknowledged.
type lab struct {
	history
	totals
	name     string
	replicas []*replica
	rs       struct{ id, secret string } // the resource server that introspects
	made     atomic.Int64
	base     []*family // that nobody changes: no fault may hurt them

	// The store: one of these.
	redis    *redistest.Server
	dir      string // of redis or of the embedded store
	proxies  []*harness.Proxy
	sentinel *redistest.Sentinel

	stop     chan struct{} // ends the work
	restOnce *sync.Once
	done     sync.WaitGroup
}

// any returns one of the replicas.
func (l *lab) any() *replica { return l.replicas[rand.IntN(len(l.replicas))] }

// onRedis makes a lab with two replicas, each behind its own proxy.
func onRedis(t *testing.T, name string) *lab {
	t.Helper()
	l := &lab{name: name, dir: t.TempDir()}
	l.redis = redistest.Start(t, "--dir", l.dir, "--appendonly", "yes", "--appendfsync", "everysec")
	for i := range 2 {
		p := harness.StartProxy(t, l.redis.Addr)
		l.proxies = append(l.proxies, p)
		l.replicas = append(l.replicas, newReplica(t, fmt.Sprintf("%s replica %d", name, i+1), fmt.Sprintf("{backend: redis, redis: {addresses: [%q]}}", p.Addr)))
	}
	return l.open(t)
}

// onSentinel makes a lab with two replicas on one master with two replicas, which
// three sentinels watch.
func onSentinel(t *testing.T, name string) *lab {
	t.Helper()
	l := &lab{name: name, sentinel: redistest.StartSentinel(t)}
	for i := range 2 {
		l.replicas = append(l.replicas, newReplica(t, fmt.Sprintf("%s replica %d", name, i+1), fmt.Sprintf(
			`{backend: redis, redis: {mode: sentinel, master_name: %s, addresses: ["%s"], replica_ack_timeout: 400ms}}`,
			redistest.MasterName, strings.Join(l.sentinel.Addrs(), `", "`))))
	}
	return l.open(t)
}

// onFile makes a lab with one grantd on the embedded store.
func onFile(t *testing.T, name string) *lab {
	t.Helper()
	l := &lab{name: name, dir: t.TempDir()}
	l.replicas = []*replica{newReplica(t, name, fmt.Sprintf("{backend: embedded, embedded: {path: %s}}", l.dir))}
	return l.open(t)
}

// open starts the replicas and makes the resource server.
func (l *lab) open(t *testing.T) *lab {
	t.Helper()
	for _, r := range l.replicas {
		r.start(t)
	}
	l.awaitReady(t)
	var out struct {
		Secret string `json:"client_secret"`
	}
	l.rs.id = "rs"
	err := l.any().admin("POST", "/clients", object{
		"client_id": l.rs.id, "scope": "introspect", "token_uses": []string{"client", "customer", "on_behalf"}, "enforces": []string{"endpoints", "source_ip"},
	}, &out)
	if err != nil {
		t.Fatal(err)
	}
	l.rs.secret = out.Secret
	for range baseFamilies {
		f, err := l.newFamily()
		if err == nil {
			err = errors.Join(issueToken(l, f, l.any()), makeCustomerToken(l, f, l.any()), makeBehalfToken(l, f, l.any()))
		}
		if err != nil {
			t.Fatal(err)
		}
		l.base = append(l.base, f)
	}
	return l
}

// awaitReady waits until every replica can do everything.
func (l *lab) awaitReady(t *testing.T) {
	t.Helper()
	for _, r := range l.replicas {
		if why := eventually(patience, r.ready); why != "" {
			t.Fatalf("%s is not ready after %v: %s\n%s", r.name, patience, why, r.tail())
		}
	}
}

// awaitUp gives the replicas a moment to become ready.
func (l *lab) awaitUp() {
	for _, r := range l.replicas {
		eventually(2*time.Second, r.ready)
	}
}

// eventually calls reason until it returns "", and returns the last reason.
func eventually(bound time.Duration, reason func() string) (last string) {
	for end := time.Now().Add(bound); ; time.Sleep(20 * time.Millisecond) {
		if last = reason(); last == "" || time.Now().After(end) {
			return last
		}
	}
}

// work starts the workers and the watchers.
func (l *lab) work() {
	l.stop, l.restOnce = make(chan struct{}), new(sync.Once)
	for range workers {
		l.done.Go(l.worker)
	}
	for range watchers {
		l.done.Go(l.watcher)
	}
}

// awaitWork lets the workers work for some time, and longer on a slow machine:
// until families rest, and some things have ended.
func (l *lab) awaitWork(least time.Duration) {
	before, acked := l.endings.Load(), l.base[baseFamilies-1].acked
	time.Sleep(max(between(least, 2*least), time.Until(acked[len(acked)-1].Add(newest+time.Millisecond))))
	eventually(mostWork, func() string {
		if l.history.rests() < minResting || l.endings.Load()-before < minEndings {
			return "not yet"
		}
		return ""
	})
}

// rest ends the work, if it has not ended, and waits until nothing is in progress.
func (l *lab) rest() {
	l.restOnce.Do(func() { close(l.stop) })
	l.done.Wait()
}

// pause waits and reports whether the work goes on.
func (l *lab) pause(d time.Duration) bool {
	select {
	case <-l.stop:
		return false
	case <-time.After(d):
		return true
	}
}

// worker works on one family after another. While the lab does not work, it tries to
// make new ones, so that few changes have an unclear outcome.
func (l *lab) worker() {
	for works := false; l.pause(think); {
		var f *family
		if works && rand.IntN(2) == 0 {
			f = l.history.take()
		}
		if f == nil {
			var err error
			if f, err = l.newFamily(); err != nil {
				works = false
				continue // nobody knows what there is of it
			}
		}
		for range stepsOfFamily {
			if f.unclear || !l.pause(think) {
				break
			}
			l.step(f)
		}
		if works = !f.unclear; works {
			l.history.keep(f)
		}
	}
}

// watcher tries what has ended, at any replica.
func (l *lab) watcher() {
	for l.pause(think) {
		if f := l.history.random(); f != nil {
			l.tryEnded(f, l.any())
		}
	}
}
