//go:build chaos

package chaos_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/parallel"
)

var (
	rounds = flag.Int("rounds", 1, "how many rounds each fault has")
	only   = flag.String("only", "", "run only the faults whose name contains `TEXT`")
)

const (
	// warmUp is how long the workers work before a fault at least, and coolDown how
	// long after it.
	warmUp, coolDown = time.Second, 500 * time.Millisecond
	progressEach     = 5 * time.Second
	// labsAtOnce is how many faults have rounds at the same time: they mostly wait.
	labsAtOnce = 5
)

func TestMain(m *testing.M) { os.Exit(parallel.Main(m, labsAtOnce)) }

// run is the labs of one run.
type run struct {
	began time.Time
	mu    sync.Mutex
	labs  []*lab
}

// TestChaos runs the rounds of every fault, some faults at the same time, and
// prints one summary.
func TestChaos(t *testing.T) {
	all := &run{began: time.Now()}
	stop := all.showProgress()
	t.Run("faults", func(t *testing.T) {
		for _, f := range faults {
			if strings.Contains(f.name, *only) {
				t.Run(f.name, func(t *testing.T) {
					t.Parallel()
					all.try(t, f)
				})
			}
		}
	})
	stop()
	all.summarize(t)
}

// try runs all rounds of a fault in one lab.
func (all *run) try(t *testing.T, f fault) {
	l := f.open(t, f.name)
	all.mu.Lock()
	all.labs = append(all.labs, l)
	all.mu.Unlock()
	for range *rounds {
		l.round(t, f)
		l.rounds.Add(1)
	}
}

// round lets the workers work, makes the fault happen, and checks what is left.
func (l *lab) round(t *testing.T, f fault) {
	l.work()
	t.Cleanup(l.rest) // a fault can end the test
	l.awaitWork(warmUp)
	d := f.happen(t, l)
	if d.unseen {
		l.awaitUp() // what is held back may make it unready
	} else {
		l.awaitReady(t)
		time.Sleep(coolDown)
	}
	l.rest()
	l.checkEnded()
	if d.unseen {
		l.checkHeldBack(t)
		// What has ended since the copy is known to nobody. It was held back until
		// now, and the operator has decided to let it go.
		l.history.drop(func(f *fact) bool { return f.acked.After(d.since) })
		l.awaitReady(t)
	}
	l.checkLiving(d, !d.unseen)
}

// showProgress prints the results so far every few seconds until stop is called.
func (all *run) showProgress() (stop func()) {
	quit := make(chan struct{})
	go func() {
		for {
			select {
			case <-quit:
				return
			case <-time.After(progressEach):
				all.mu.Lock()
				n := int64(0)
				for _, l := range all.labs {
					n += l.rounds.Load()
				}
				all.mu.Unlock()
				fmt.Printf("%4.0f s, %d rounds: %s\n", time.Since(all.began).Seconds(), n, all.sum())
			}
		}
	}()
	return func() { close(quit) }
}

// sum is what is said about several labs together.
func (all *run) sum() string {
	all.mu.Lock()
	defer all.mu.Unlock()
	var acknowledged, lost, late, alive int64
	for _, l := range all.labs {
		acknowledged += l.acknowledged.Load()
		lost, late, alive = lost+l.lost.Load(), late+l.late.Load(), alive+l.alive.Load()
	}
	return fmt.Sprintf("acknowledged %d, lost %d, late %d, ended alive %d", acknowledged, lost, late, alive)
}

// summarize prints the results of each lab and of all, and fails the test if
// something is wrong.
func (all *run) summarize(t *testing.T) {
	for _, l := range all.labs {
		fmt.Printf("%-28s %2d rounds: acknowledged %d, lost %d, late %d, ended alive %d; %d ends, %d of them tried; %d orgs whole, %d that the fault may have hurt\n",
			l.name, l.rounds.Load(), l.acknowledged.Load(), l.lost.Load(), l.late.Load(), l.alive.Load(), l.endings.Load(), l.tried.Load(), l.whole.Load(), l.excused.Load())
		for what, n := range l.kinds {
			fmt.Printf("    %4d %s\n", n, what)
		}
		for _, example := range l.examples {
			fmt.Printf("    for example %s\n", example)
		}
		if l.lost.Load()+l.late.Load()+l.alive.Load()+l.unheld.Load() > 0 {
			t.Errorf("%s: see above", l.name)
		}
		if l.rounds.Load() > 0 && (l.acknowledged.Load() < 20 || l.tried.Load() < 10 || l.whole.Load() == 0) {
			t.Errorf("%s: only %d acknowledgements, %d ends tried and %d whole orgs: this test tests nothing", l.name, l.acknowledged.Load(), l.tried.Load(), l.whole.Load())
		}
	}
	fmt.Printf("hurt: changed within %v before the fault, or after the copy that was put back. Ends are never excused.\n", newest)
	fmt.Printf("late is more than %v after the end: cache.max_staleness and %v\n", staleness+slack, slack)
	fmt.Printf("%s\n", all.sum())
}
