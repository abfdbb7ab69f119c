//go:build chaos

package chaos_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// recovery is how long what lives may take to work again after a fault.
	recovery = 15 * time.Second
	// checkedFacts is how many facts one check tries.
	checkedFacts = 600
	// checkers try at the same time.
	checkers = 16
	// keptFamilies is how many families go on to the next round.
	keptFamilies = 30
)

// totals are the results of a lab.
type totals struct {
	rounds            atomic.Int64
	lost, late, alive atomic.Int64
	unheld            atomic.Int64 // rounds in which nothing was held back, or it could not be released
	tried             atomic.Int64 // facts of which it is known whether they got something
	excused           atomic.Int64 // families that the fault may have hurt
	whole             atomic.Int64 // families of which everything works that should

	mu       sync.Mutex
	kinds    map[string]int // of what is wrong
	examples []string
}

// maxExamples bounds what is shown of each lab.
const maxExamples = 12

func (t *totals) wrong(n *atomic.Int64, kind, format string, args ...any) {
	n.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kinds == nil {
		t.kinds = map[string]int{}
	}
	t.kinds[kind]++
	if len(t.examples) < maxExamples {
		t.examples = append(t.examples, fmt.Sprintf(format, args...))
	}
}

// tryEnded tries something that has ended at a replica. If it gets something, that
// is counted once.
func (l *lab) tryEnded(f *fact, r *replica) verdict {
	sent := time.Now()
	v := f.try(r)
	if (v == gets || v == refused) && !f.tried.Swap(true) {
		l.tried.Add(1)
	}
	if v != gets || sent.Sub(f.acked) <= staleness+slack || f.found.Swap(true) {
		return v
	}
	since := sent.Sub(f.acked).Round(time.Millisecond)
	if f.token {
		l.wrong(&l.late, "late: "+f.what, "%s, active %v after its end at %s", f.what, since, r.name)
	} else {
		l.wrong(&l.alive, "ended alive: "+f.what, "%s, works %v after its end at %s", f.what, since, r.name)
	}
	return v
}

// checkEnded tries the newest facts, and some older ones, at every replica.
func (l *lab) checkEnded() {
	inParallel(l.history.some(checkedFacts), func(f *fact) {
		time.Sleep(time.Until(f.acked.Add(staleness + slack + time.Millisecond)))
		for _, r := range l.replicas {
			eventually(time.Second, func() string {
				v := l.tryEnded(f, r)
				if v == unsure {
					return "unsure"
				}
				return ""
			})
		}
	})
}

// checkHeldBack checks that what lives gets nothing until it is released, and
// releases it.
func (l *lab) checkHeldBack(t *testing.T) {
	var works atomic.Int64
	inParallel(l.base, func(f *family) {
		for _, p := range f.parts(l, false) {
			if p.try(l.any()) == gets {
				works.Add(1)
			}
		}
	})
	if n := works.Load(); n > 0 {
		l.wrong(&l.unheld, "not held back", "%d principals work although nobody knows what has ended", n)
	}
	if err := l.release(t); err != nil {
		l.wrong(&l.unheld, "not released", "%v", err)
	}
}

// checkLiving tries everything that should work, access tokens only if tokens is
// set. What the damage may have taken is excused. Some families that are whole are
// kept: they are older than the next fault.
func (l *lab) checkLiving(d damage, tokens bool) {
	l.history.mu.Lock()
	families := append(l.history.resting, l.base...)
	l.history.resting = nil
	l.history.mu.Unlock()
	var kept atomic.Int64
	inParallel(families, func(f *family) {
		if f.hurt(d) {
			l.excused.Add(1)
			return
		}
		whole := true
		for _, p := range f.parts(l, tokens) {
			r := l.any()
			var last verdict
			why := eventually(recovery, func() string {
				if last = p.try(r); last != gets {
					return "it does not work"
				}
				return ""
			})
			if why != "" {
				whole = false
				l.wrong(&l.lost, "lost: "+p.what, "%s of %s, at %s: %v; %s", p.what, f.id, r.name, last, f.history(d))
			}
		}
		if !tokens {
			f.tokens, f.customerTokens, f.behalfTokens = nil, nil, nil
		}
		if whole {
			l.whole.Add(1)
		}
		if whole && !slices.Contains(l.base, f) && kept.Add(1) <= keptFamilies {
			l.history.keep(f)
		}
	})
}

// inParallel calls do with each of the list, some at the same time.
func inParallel[T any](list []T, do func(T)) {
	slots := make(chan struct{}, checkers)
	var all sync.WaitGroup
	for _, x := range list {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			do(x)
		})
	}
	all.Wait()
}
