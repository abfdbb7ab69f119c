package storetest

import (
	"context"
	"fmt"
	"sync"

	"github.com/grantd/grantd/store"
)

// EveryMethod stands for all methods of a Faulty at once.
const EveryMethod = "*"

// Faulty passes every call to another store, but for what the test asks:
//
//	f := storetest.NewFaulty(s)
//	f.Fail("PutToken", store.ErrUnavailable)
//
// A method is named as in store.Store, one of a store.RecordSet with its kind
// (GetClient, ListClients); a name that is not there panics. All of it may be used by many goroutines at once.
type Faulty struct {
	store.Store // answers Shared

	mu     sync.Mutex
	faults map[string]*fault
	calls  map[string]int
}

var _ store.Store = (*Faulty)(nil)

// fault is what happens to the calls of one method.
type fault struct {
	before  error
	after   error
	hook    func()
	release <-chan struct{}
	entered chan struct{}
}

// NewFaulty wraps s, and changes nothing yet.
func NewFaulty(s store.Store) *Faulty {
	return &Faulty{Store: s, faults: map[string]*fault{}, calls: map[string]int{}}
}

// Fail makes calls of the method answer err without reaching the store.
func (f *Faulty) Fail(method string, err error) {
	f.set(method, func(x *fault) { x.before = err })
}

// FailAfter makes calls of the method reach the store, but answer err: the
// write was done and its answer lost.
func (f *Faulty) FailAfter(method string, err error) {
	f.set(method, func(x *fault) { x.after = err })
}

// Hook has h called before each call of the method reaches the store.
func (f *Faulty) Hook(method string, h func()) {
	f.set(method, func(x *fault) { x.hook = h })
}

// Block holds calls of the method back until release is called or their
// context ends. Each held call sends to entered, or goes unnoticed if a
// hundred notices wait there.
func (f *Faulty) Block(method string) (entered <-chan struct{}, release func()) {
	held, gate := make(chan struct{}, 100), make(chan struct{})
	f.set(method, func(x *fault) { x.release, x.entered = gate, held })
	return held, sync.OnceFunc(func() { close(gate) })
}

// Heal ends what was asked for the method; calls that are held stay so.
func (f *Faulty) Heal(method string) {
	known(method)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.faults, method)
}

// Calls answers how often the method was called, faults included.
func (f *Faulty) Calls(method string) int {
	known(method)
	f.mu.Lock()
	defer f.mu.Unlock()
	if method != EveryMethod {
		return f.calls[method]
	}
	sum := 0
	for _, n := range f.calls {
		sum += n
	}
	return sum
}

func (f *Faulty) set(method string, change func(*fault)) {
	known(method)
	f.mu.Lock()
	defer f.mu.Unlock()
	next := fault{}
	if now := f.faults[method]; now != nil {
		next = *now
	}
	change(&next)
	f.faults[method] = &next // a new one: calls read theirs without the lock
}

// known panics for a name that no method has, before a test passes because
// of a typing error.
func known(method string) {
	if method == EveryMethod {
		return
	}
	if !methods()[method] {
		panic(fmt.Sprintf("storetest: store.Store has no method %q", method))
	}
}

// faultsOf counts a call and answers what shall happen to it.
func (f *Faulty) faultsOf(method string) []*fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[method]++
	var found []*fault
	for _, name := range []string{EveryMethod, method} {
		if x := f.faults[name]; x != nil {
			found = append(found, x)
		}
	}
	return found
}

// enter does what precedes the call.
func (x *fault) enter(ctx context.Context, method string) error {
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
			return fmt.Errorf("%s: %w: %w", method, store.ErrUnavailable, ctx.Err())
		}
	}
	return x.before
}

// through runs one call of a method that answers a value.
func through[T any](ctx context.Context, f *Faulty, method string, run func() (T, error)) (T, error) {
	var none T
	faults := f.faultsOf(method)
	for _, x := range faults {
		if err := x.enter(ctx, method); err != nil {
			return none, err
		}
	}
	v, err := run()
	for _, x := range faults {
		if x.after != nil {
			return none, x.after
		}
	}
	return v, err
}

// do runs one call of a method that answers only an error.
func (f *Faulty) do(ctx context.Context, method string, run func() error) error {
	_, err := through(ctx, f, method, func() (struct{}, error) { return struct{}{}, run() })
	return err
}
