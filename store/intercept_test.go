package store

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var errHook = errors.New("from the hook")

// noter notes operations and lets none reach the store.
type noter struct{ noted []string }

func (n *noter) Before(_ context.Context, operation string) (struct{}, error) {
	n.noted = append(n.noted, operation)
	return struct{}{}, errHook
}

func (*noter) After(string, struct{}, error) error { panic("after an operation that Before refused") }

// noStore has no operation: a call that gets past the hook panics.
type noStore struct{ Store }

func (noStore) Clients() Clients               { return nil }
func (noStore) Orgs() Orgs                     { return nil }
func (noStore) Customers() Customers           { return nil }
func (noStore) Partners() Partners             { return nil }
func (noStore) PartnerTokens() PartnerTokens   { return nil }
func (noStore) APIKeys() APIKeys               { return nil }
func (noStore) Grants() Grants                 { return nil }
func (noStore) Holds() Holds                   { return nil }
func (noStore) SigningKeys() SigningKeyRecords { return nil }
func (noStore) NoticeQueues() NoticeQueues     { return nil }

// TestInterceptedHooksEveryMethod calls every method of Store and of its kinds
// of records. Each must reach the hook, under a name that Operations lists.
func TestInterceptedHooksEveryMethod(t *testing.T) {
	n := &noter{}
	s := Intercept[struct{}](noStore{}, n)
	call := func(what string, method reflect.Value) {
		t.Helper()
		before := len(n.noted)
		args := []reflect.Value{}
		for in := range method.Type().Ins() {
			if in == reflect.TypeFor[context.Context]() {
				args = append(args, reflect.ValueOf(t.Context()))
			} else {
				args = append(args, reflect.Zero(in))
			}
		}
		if method.Type().IsVariadic() {
			args = args[:len(args)-1]
		}
		out := method.Call(args)
		if err, _ := out[len(out)-1].Interface().(error); !errors.Is(err, errHook) || len(n.noted) != before+1 {
			t.Errorf("%s: error %v, hooked %d times", what, err, len(n.noted)-before)
		}
	}
	kinds := 0
	for m := range reflect.TypeFor[Store]().Methods() {
		method := reflect.ValueOf(s).MethodByName(m.Name)
		switch role := m.Type.Out(0); {
		case m.Name == "Shared", m.Name == "Unconfirmed": // no operations
		case role.Kind() == reflect.Interface && role != reflect.TypeFor[error]():
			kinds++
			records := method.Call(nil)[0]
			for m := range role.Methods() {
				call(role.String()+"."+m.Name, records.MethodByName(m.Name))
			}
		default:
			call(m.Name, method)
			if got := n.noted[len(n.noted)-1]; got != m.Name {
				t.Errorf("%s is hooked as %s", m.Name, got)
			}
		}
	}
	slices.Sort(n.noted)
	want := Operations()
	slices.Sort(want)
	if d := cmp.Diff(want, n.noted); d != "" || kinds == 0 {
		t.Errorf("%d kinds; operations (-listed +hooked):\n%s", kinds, d)
	}
}

// failing replaces every error.
type failing struct{}

func (failing) Before(context.Context, string) (int, error) { return 7, nil }

func (failing) After(_ string, state int, err error) error {
	if state == 7 && err == nil {
		return errHook
	}
	return err
}

// one is a store whose reads succeed.
type one struct{ noStore }

func (one) GetToken(context.Context, Digest) (Token, error) { return Token{ClientID: "a"}, nil }

func (one) TakeGuess(context.Context, string, GuessBounds) (Guesses, bool, error) {
	return Guesses{Today: 1}, true, nil
}

// TestInterceptedReturnsNothingBesideAnError: the value of an operation that
// the hook fails is not returned.
func TestInterceptedReturnsNothingBesideAnError(t *testing.T) {
	s := Intercept[int](one{}, failing{})
	if token, err := s.GetToken(t.Context(), Digest{}); !errors.Is(err, errHook) || token.ClientID != "" {
		t.Errorf("token %+v, error %v", token, err)
	}
	if g, taken, err := s.TakeGuess(t.Context(), "a", GuessBounds{}); !errors.Is(err, errHook) || taken || g.Today != 0 {
		t.Errorf("guesses %+v, taken %v, error %v", g, taken, err)
	}
}

// passing changes nothing.
type passing struct{}

func (passing) Before(context.Context, string) (int, error) { return 0, nil }
func (passing) After(_ string, _ int, err error) error      { return err }

// TestInterceptedAllocatesNothing: it is on the way of every request.
func TestInterceptedAllocatesNothing(t *testing.T) {
	s := Intercept[int](quick{}, passing{})
	ctx, token := t.Context(), Token{ClientID: "a"}
	if n := testing.AllocsPerRun(100, func() {
		_ = s.PutToken(ctx, Digest{}, token)
		_, _ = s.GetToken(ctx, Digest{})
		_, _ = s.Clients().Get(ctx, "a")
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// quick is a store that allocates nothing.
type quick struct{ one }

func (quick) PutToken(context.Context, Digest, Token) error { return nil }
func (quick) Clients() Clients                              { return quickClients{} }

type quickClients struct{ Clients }

func (quickClients) Get(context.Context, string) (Client, error) { return Client{}, nil }
