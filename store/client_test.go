package store

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fill gives every part of v a value, so that a field which is new later is
// looked at too.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1687436422, 0).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	default:
		panic("a record has a " + v.Kind().String())
	}
}

// scribble changes everything that v refers to.
func scribble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type() != reflect.TypeFor[time.Time]() {
				scribble(v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Elem().SetZero()
	case reflect.Slice:
		for i := range v.Len() {
			scribble(v.Index(i))
			v.Index(i).SetZero()
		}
	default: // a value of the copy's own
	}
}

func TestCloneSharesNothing(t *testing.T) {
	t.Run("Client", cloneSharesNothing(Client.Clone))
	t.Run("Org", cloneSharesNothing(Org.Clone))
	t.Run("Customer", cloneSharesNothing(Customer.Clone))
}

func cloneSharesNothing[R any](cloned func(R) R) func(t *testing.T) {
	return func(t *testing.T) {
		var r, want R
		fill(reflect.ValueOf(&r).Elem())
		fill(reflect.ValueOf(&want).Elem())
		clone := cloned(r)
		if d := cmp.Diff(want, clone); d != "" {
			t.Errorf("the clone differs (-want +got):\n%s", d)
		}
		scribble(reflect.ValueOf(&clone).Elem())
		if d := cmp.Diff(want, r); d != "" {
			t.Errorf("a change of the clone reached the original (-want +got):\n%s", d)
		}
	}
}
