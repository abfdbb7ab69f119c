package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/grantd/grantd/store"
)

// EveryMethod is the name of all operations of a Faulty at once.
const EveryMethod = "*"

// Faulty passes every operation to another store, except for what the test
// asks:
//
//	f := storetest.NewFaulty(s)
//	f.Fail("PutToken", store.ErrUnavailable)
//
// An operation is named as store.Operations names it; any other name panics.
// All methods are safe for concurrent use.
type Faulty struct {
	*store.Intercepted[[]*fault]
	faults      *faults
	unconfirmed atomic.Bool
}

// faults is the hook of a Faulty.
type faults struct {
	mu    sync.Mutex
	of    map[string]*fault
	calls map[string]int
	done  map[string]int
}

// fault is what happens to the calls of one operation.
type fault struct {
	before  error
	after   error
	hook    func()
	release <-chan struct{}
	entered chan struct{}
}

// NewFaulty wraps s. It changes nothing yet.
func NewFaulty(s store.Store) *Faulty {
	f := &faults{of: map[string]*fault{}, calls: map[string]int{}, done: map[string]int{}}
	return &Faulty{Intercepted: store.Intercept(s, f), faults: f}
}

// SetUnconfirmed makes Unconfirmed return is.
func (f *Faulty) SetUnconfirmed(is bool) { f.unconfirmed.Store(is) }

// Unconfirmed returns what SetUnconfirmed was called with.
func (f *Faulty) Unconfirmed() bool { return f.unconfirmed.Load() }

// Fail makes calls of the operation return err without reaching the store.
func (f *Faulty) Fail(operation string, err error) {
	f.faults.set(operation, func(x *fault) { x.before = err })
}

// FailAfter makes calls of the operation reach the store, but return err: the
// write was done and its reply was lost.
func (f *Faulty) FailAfter(operation string, err error) {
	f.faults.set(operation, func(x *fault) { x.after = err })
}

// Hook has h called before each call of the operation reaches the store.
func (f *Faulty) Hook(operation string, h func()) {
	f.faults.set(operation, func(x *fault) { x.hook = h })
}

// Block holds calls of the operation back until release is called or their
// context ends. Each held call sends to entered, unless a hundred notices wait
// there already.
func (f *Faulty) Block(operation string) (entered <-chan struct{}, release func()) {
	held, gate := make(chan struct{}, 100), make(chan struct{})
	f.faults.set(operation, func(x *fault) { x.release, x.entered = gate, held })
	return held, sync.OnceFunc(func() { close(gate) })
}

// Heal ends what was asked for the operation. Calls that are held stay held.
func (f *Faulty) Heal(operation string) {
	mustKnow(operation)
	f.faults.mu.Lock()
	defer f.faults.mu.Unlock()
	delete(f.faults.of, operation)
}

// Calls returns how often the operation was called, faults included.
func (f *Faulty) Calls(operation string) int {
	mustKnow(operation)
	f.faults.mu.Lock()
	defer f.faults.mu.Unlock()
	if operation != EveryMethod {
		return f.faults.calls[operation]
	}
	sum := 0
	for _, n := range f.faults.calls {
		sum += n
	}
	return sum
}

// Done returns how often the operation reached the store and returned.
func (f *Faulty) Done(operation string) int {
	mustKnow(operation)
	f.faults.mu.Lock()
	defer f.faults.mu.Unlock()
	return f.faults.done[operation]
}

func (f *faults) set(operation string, change func(*fault)) {
	mustKnow(operation)
	f.mu.Lock()
	defer f.mu.Unlock()
	next := fault{}
	if now := f.of[operation]; now != nil {
		next = *now
	}
	change(&next)
	f.of[operation] = &next // a copy: running calls read theirs without the lock
}

// mustKnow panics for a name that no operation has: otherwise a typo would let
// a test pass.
func mustKnow(operation string) {
	if operation != EveryMethod && !slices.Contains(store.Operations(), operation) {
		panic(fmt.Sprintf("storetest: store.Store has no operation %q", operation))
	}
}

// Before counts the call and does what the test asks to precede it.
func (f *faults) Before(ctx context.Context, operation string) ([]*fault, error) {
	active := f.start(operation)
	for _, x := range active {
		if err := x.enter(ctx, operation); err != nil {
			return nil, err
		}
	}
	return active, nil
}

// After counts the call as done, and returns the error that the test asks for, or that of
// the store.
func (f *faults) After(operation string, active []*fault, err error) error {
	f.mu.Lock()
	f.done[operation]++
	f.mu.Unlock()
	for _, x := range active {
		if x.after != nil {
			return x.after
		}
	}
	return err
}

// start counts a call and returns the faults that apply to it.
func (f *faults) start(operation string) []*fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[operation]++
	var active []*fault
	for _, name := range []string{EveryMethod, operation} {
		if x := f.of[name]; x != nil {
			active = append(active, x)
		}
	}
	return active
}

// enter does what precedes the call.
func (x *fault) enter(ctx context.Context, operation string) error {
	if x.hook != nil {
		x.hook()
	}
	if x.release != nil {
		select {
		case x.entered <- struct{}{}:
		default:
		}
		select {
		case <-x.release:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w", operation, store.ErrUnavailable, ctx.Err())
		}
	}
	return x.before
}
