package guarded_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/harness"
)

const (
	faultRate  = 150 // requests per second to each resource server
	faultCalm  = 700 * time.Millisecond
	faultTime  = 3 * time.Second
	faultAfter = 1500 * time.Millisecond
	faultEnds  = 70
	// recovery is how long it may take until everything is served again after a fault.
	recovery = 8 * time.Second
)

// disturbance is something that breaks while tokens end.
type disturbance struct {
	name string
	// happen breaks something, and returns what repairs it.
	happen func(t *testing.T, l *lab) (repair func())
	// serves: the resource servers can still tell: most responses are not 503.
	serves bool
	// first: only the first replica is asked, so that no other one can help.
	first bool
}

// onLink returns a fault of the link.
func onLink(f fault, onlyStreams bool) func(*testing.T, *lab) func() {
	return func(_ *testing.T, l *lab) func() {
		l.link.set(f, onlyStreams)
		return func() { l.link.set(fault{}, false) }
	}
}

// repeatedly cuts connections again and again.
func repeatedly(every time.Duration, cut func(l *lab)) func(*testing.T, *lab) func() {
	return func(_ *testing.T, l *lab) func() {
		quit := make(chan struct{})
		var done sync.WaitGroup
		done.Go(func() {
			for {
				cut(l)
				select {
				case <-quit:
					return
				case <-time.After(every):
				}
			}
		})
		return func() { close(quit); done.Wait() }
	}
}

// tornOnce breaks what exists in the middle of the next response.
func tornOnce(onlyStreams bool) func(l *lab) {
	return func(l *lab) {
		l.link.set(fault{tear: true}, onlyStreams)
		time.Sleep(120 * time.Millisecond) // simulates the fault; something is sent meanwhile
		l.link.set(fault{}, false)
	}
}

// onWire returns a fault between the first replica and Redis.
func onWire(mode harness.Mode, delay time.Duration) func(*testing.T, *lab) func() {
	return func(_ *testing.T, l *lab) func() {
		l.wires[0].Delay = delay
		l.wires[0].Set(mode)
		return func() { l.wires[0].Set(harness.Passing) }
	}
}

// disturbances are what happens in each lab, one after another: each lab has its own
// replicas, so that those of the others run beside them.
var disturbances = map[string][]disturbance{
	"streams are cut": {
		{name: "again and again", happen: repeatedly(250*time.Millisecond, func(l *lab) { l.link.cut(true) }), serves: true},
		{name: "in the middle of an event", happen: repeatedly(300*time.Millisecond, tornOnce(true)), serves: true},
		{name: "and refused", happen: onLink(fault{refuse: true}, true), serves: true},
	},
	// An introspection overtakes the void of what it is about.
	"streams are late": {
		{name: "by 400 ms", happen: onLink(fault{delay: 400 * time.Millisecond}, true), serves: true},
		{name: "by 2 s", happen: onLink(fault{delay: 2 * time.Second}, true), serves: true},
		{name: "by as long as the fault lasts", happen: onLink(fault{hold: true}, true), serves: true},
	},
	"everything is late": {
		{name: "by 600 ms", happen: onLink(fault{delay: 600 * time.Millisecond}, false)},
		{name: "by 2 s", happen: onLink(fault{delay: 2 * time.Second}, false)},
		{name: "by as long as the fault lasts", happen: onLink(fault{hold: true}, false)},
	},
	"connections break": {
		{name: "again and again", happen: repeatedly(200*time.Millisecond, func(l *lab) { l.link.cut(false) }), serves: true},
		{name: "in the middle of responses", happen: repeatedly(300*time.Millisecond, tornOnce(false))},
		{name: "and cannot be made", happen: onLink(fault{refuse: true}, false)},
		{name: "into pieces of some bytes", happen: onLink(fault{chop: true}, false), serves: true},
	},
	"a replica": {
		{name: "restarts", happen: restart(func(r *replica) { r.process.stop() }), serves: true},
		{name: "is killed", happen: restart(func(r *replica) { r.process.kill() }), serves: true},
		{name: "has lost Redis", happen: onWire(harness.Hanging, 0), first: true},
	},
	"a replica lags": {
		{name: "by 700 ms", happen: onWire(harness.Slow, 700*time.Millisecond), first: true},
		{name: "by 700 ms, and streams are held back", happen: together(onWire(harness.Slow, 700*time.Millisecond), onLink(fault{hold: true}, true)), first: true},
		// Look-ups that share an introspection must not get what was true before they came.
		{name: "and its responses are late, without a stream", first: true, happen: together(
			onWire(harness.Slow, 450*time.Millisecond), onLink(fault{delay: 450 * time.Millisecond}, false), withoutStreams)},
	},
	"Redis": {
		{name: "is paused", happen: func(_ *testing.T, l *lab) func() {
			l.redis.Pause()
			return l.redis.Resume
		}},
		{name: "is away", happen: func(_ *testing.T, l *lab) func() {
			for _, w := range l.wires {
				w.Set(harness.Refusing)
			}
			return func() {
				for _, w := range l.wires {
					w.Set(harness.Passing)
				}
			}
		}},
	},
}

// together is several faults at once.
func together(all ...func(*testing.T, *lab) func()) func(*testing.T, *lab) func() {
	return func(t *testing.T, l *lab) func() {
		var repairs []func()
		for _, happen := range all {
			repairs = append(repairs, happen(t, l))
		}
		return func() {
			for _, repair := range repairs {
				repair()
			}
		}
	}
}

// withoutStreams refuses streams, besides what happens to other connections.
func withoutStreams(_ *testing.T, l *lab) func() {
	l.link.refuseStreams(true)
	return func() { l.link.refuseStreams(false) }
}

// restart ends the first replica and starts it again a second later.
func restart(end func(r *replica)) func(*testing.T, *lab) func() {
	return func(_ *testing.T, l *lab) func() {
		end(l.replicas[0])
		time.Sleep(time.Second) // simulates the outage
		l.replicas[0].start()
		return func() {}
	}
}

// TestFaults revokes tokens while something breaks.
func TestFaults(t *testing.T) {
	for name, all := range disturbances {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, 0, 0)
			for _, d := range all {
				t.Run(d.name, func(t *testing.T) { l.disturb(t, d) })
			}
		})
	}
}

// TestWrongClocks does the same with replicas whose clocks are ten minutes off.
func TestWrongClocks(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ahead": 10 * time.Minute, "behind": -10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, ahead, 0)
			l.disturb(t, disturbance{serves: true, happen: func(_ *testing.T, l *lab) func() {
				l.link.lead(l.replicas[1].at) // the resource servers go over to the one with the right clock
				l.link.cut(false)
				return func() {}
			}})
		})
	}
}

// disturb revokes tokens before, while and after something breaks, under a load.
func (l *lab) disturb(t *testing.T, d disturbance) {
	l.ledger = newLedger()
	l.link.lead(l.replicas[0].at, l.replicas[1].at)
	if d.first {
		l.link.lead(l.replicas[0].at)
	}
	l.clients++
	c := l.newClient(t, fmt.Sprintf("app%d", l.clients))
	p := &pool{live: l.tokens(t, c, kept+faultEnds)}
	all := p.live
	l.know(t, all)

	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { l.load(ctx, faultRate, p.next) })
	work.Go(func() {
		if err := l.endSome(ctx, p, c, kept); err != nil {
			t.Errorf("revoking: %v", err)
		}
	})
	defer work.Wait()
	defer stop()
	time.Sleep(faultCalm) // ends before the fault
	clear := l.clear()
	repair := d.happen(t, l)
	time.Sleep(faultTime) // simulates the fault
	during := l.clear()
	repair()
	time.Sleep(faultAfter) // ends after the fault
	stop()
	work.Wait()
	l.await(t, "live tokens after the fault", recovery, accepted, p.live)
	l.await(t, "ended tokens after the fault", recovery, refused, p.ended)
	for i, at := range l.targets {
		was, is := clear[i], during[i]
		yes, no := is[0]-was[0], is[1]-was[1]
		t.Logf("%s, during the fault: %d responses, and %d of 503", at.name, yes, no)
		if d.serves && yes < no {
			t.Errorf("%s: %d responses of 503 to %d others: it could have told", at.name, no, yes)
		}
	}
	l.report(t, l.targets, all)
}

// clear returns, for each target, how many verdicts were clear, and how many not.
func (l *lab) clear() (all [][2]int) {
	for _, at := range l.targets {
		all = append(all, [2]int{l.count(at, accepted) + l.count(at, refused), l.count(at, unavailable)})
	}
	return all
}
