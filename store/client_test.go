package store

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fill gives every part of v a value, so that the test covers fields that are
// added later.
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
	case reflect.Uint64, reflect.Uint8:
		v.SetUint(7)
	default:
		panic("a record has a " + v.Kind().String())
	}
}

// scribble overwrites everything that v refers to.
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
	default: // a plain value: the copy does not share it
	}
}

func TestCloneSharesNothing(t *testing.T) {
	var c, want Client
	fill(reflect.ValueOf(&c).Elem())
	fill(reflect.ValueOf(&want).Elem())
	clone := c.Clone()
	if d := cmp.Diff(want, clone); d != "" {
		t.Errorf("the clone differs (-want +got):\n%s", d)
	}
	scribble(reflect.ValueOf(&clone).Elem())
	if d := cmp.Diff(want, c); d != "" {
		t.Errorf("a change of the clone reached the original (-want +got):\n%s", d)
	}
}
