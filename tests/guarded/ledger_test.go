package guarded_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// bound is how long after the acknowledgement of an end a token may still be accepted:
// cache.max_staleness, the default, which is also the longest that a guard accepts.
const bound = time.Second

// verdict is what a resource server said about a token.
type verdict int

const (
	accepted    verdict = iota
	refused             // the token is not active
	unavailable         // 503 with Retry-After
	wrong               // anything else
)

// target is a resource server to ask.
type target struct {
	name string
	ask  func(token string) (verdict, string) // the text describes a wrong response
}

// token is a token of a test.
type token struct {
	value  string
	ending atomic.Bool  // its end may have been asked for
	acked  atomic.Int64 // when the end was acknowledged, in nanoseconds since the start; 0: not yet
	// gone has when each target refused it first, and last when the request was sent that
	// it accepted last: names of targets → time.Duration since the start.
	gone, last sync.Map
}

// accepted notes that a request of that time was accepted.
func (k *token) accepted(name string, sent time.Duration) {
	for {
		was, known := k.last.LoadOrStore(name, sent)
		if !known || was.(time.Duration) >= sent || k.last.CompareAndSwap(name, was, sent) {
			return
		}
	}
}

// ledger compares responses with what was acknowledged. It is safe for concurrent use.
type ledger struct {
	began time.Time

	mu     sync.Mutex
	counts map[string]*[wrong + 1]int // by target
	faults []string
	more   int // faults that are not shown
}

func newLedger() *ledger { return &ledger{began: time.Now(), counts: map[string]*[wrong + 1]int{}} }

func (l *ledger) now() time.Duration { return time.Since(l.began) }

// end calls do, which ends the tokens, until it succeeds, and notes when that was.
func (l *ledger) end(tokens []*token, do func() error) error {
	for _, k := range tokens {
		k.ending.Store(true)
	}
	var err error
	for give := time.Now().Add(patience); time.Now().Before(give); time.Sleep(20 * time.Millisecond) { // between two tries
		if err = do(); err == nil {
			for _, k := range tokens {
				k.acked.Store(int64(l.now()))
			}
			return nil
		}
	}
	return err
}

// ask asks a target about a token and checks the verdict.
func (l *ledger) ask(at target, k *token) verdict {
	sent := l.now()
	v, text := at.ask(k.value)
	got := l.now()
	acked := time.Duration(k.acked.Load())
	if v == accepted {
		k.accepted(at.name, sent)
	}
	switch {
	case v == accepted && acked > 0 && sent > acked+bound:
		l.fault("%s accepts a token %v after the acknowledgement of its end", at.name, sent-acked)
	case v == refused && !k.ending.Load():
		l.fault("%s refuses a live token", at.name)
	case v == refused:
		k.gone.LoadOrStore(at.name, got)
	case v == wrong:
		l.fault("%s: %s", at.name, text)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts[at.name] == nil {
		l.counts[at.name] = new([wrong + 1]int)
	}
	l.counts[at.name][v]++
	return v
}

func (l *ledger) fault(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.faults) == 10 {
		l.more++
		return
	}
	l.faults = append(l.faults, fmt.Sprintf("after %v: ", l.now().Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// count returns how many verdicts of a kind a target gave.
func (l *ledger) count(at target, v verdict) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts[at.name] == nil {
		return 0
	}
	return l.counts[at.name][v]
}

// delays returns, sorted, how long after the acknowledgement the target refused each
// ended token first, and how long after it the last request came that was accepted;
// 0 if it was before.
func (l *ledger) delays(at target, tokens []*token) (gone, last []time.Duration) {
	for _, k := range tokens {
		acked := time.Duration(k.acked.Load())
		first, ok := k.gone.Load(at.name)
		if !ok || acked == 0 {
			continue
		}
		gone = append(gone, max(0, first.(time.Duration)-acked))
		if sent, ok := k.last.Load(at.name); ok {
			last = append(last, max(0, sent.(time.Duration)-acked))
		}
	}
	slices.Sort(gone)
	slices.Sort(last)
	return gone, last
}

// spread describes sorted times.
func spread(all []time.Duration) string {
	if len(all) == 0 {
		return "none"
	}
	const unit = 100 * time.Microsecond
	n := len(all)
	return fmt.Sprintf("p50 %v, p99 %v, at most %v", all[n/2].Round(unit), all[n*99/100].Round(unit), all[n-1].Round(unit))
}

// report logs what each target did, and fails the test for each fault.
func (l *ledger) report(t *testing.T, targets []target, tokens []*token) {
	t.Helper()
	for _, at := range targets {
		gone, last := l.delays(at, tokens)
		t.Logf("%s: %d accepted, %d refused, %d unavailable; %d ends: accepted until %s after the acknowledgement, refused after %s", at.name,
			l.count(at, accepted), l.count(at, refused), l.count(at, unavailable), len(gone), spread(last), spread(gone))
	}
	for _, f := range l.faults {
		t.Error(f)
	}
	if l.more > 0 {
		t.Errorf("and %d more like these", l.more)
	}
}
