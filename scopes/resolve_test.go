package scopes

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestResolve(t *testing.T) {
	all := []string{"users:read", "users:write", "introspect", "admin:write", "gone:read"}
	c := Default()
	for _, row := range []struct {
		name, requested   string
		allowed, defaults []string
		want              []string
		err               error
	}{
		{name: "one", requested: "users:read", allowed: all, want: []string{"users:read"}},
		{name: "in the order asked for", requested: "users:write users:read", allowed: all, want: []string{"users:write", "users:read"}},
		{name: "repeated", requested: "users:read users:read", allowed: all, want: []string{"users:read"}},
		{name: "privileged by name", requested: "introspect", allowed: all, want: []string{"introspect"}},
		{name: "none: all but privileged and gone", allowed: all, want: []string{"users:read", "users:write"}},
		{name: "none: the defaults", allowed: all, defaults: []string{"users:write"}, want: []string{"users:write"}},
		{name: "none: privileged defaults stand by name", allowed: all, defaults: []string{"introspect"}, want: []string{"introspect"}},
		{name: "none: defaults that are not allowed", allowed: all[:1], defaults: []string{"users:write"}, err: ErrNone},
		{name: "none: nothing but privileged", allowed: []string{"introspect"}, err: ErrNone},
		{name: "none: nothing allowed", err: ErrNone},
		{name: "unknown", requested: "invoices:read", allowed: all, err: ErrUnknown},
		{name: "separated by a comma", requested: "users:read,users:write", allowed: all, err: ErrComma},
		{name: "a comma is unknown too", requested: "users:read,users:write", allowed: all, err: ErrUnknown},
		{name: "gone from the catalogue", requested: "gone:read", allowed: all, err: ErrUnknown},
		{name: "not allowed", requested: "users:read subscriptions:read", allowed: all, err: ErrRefused},
		{name: "syntax", requested: "users:read ", allowed: all, err: ErrSyntax},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := c.Resolve(row.requested, row.allowed, row.defaults)
			if !errors.Is(err, row.err) || row.err == nil && err != nil {
				t.Fatalf("error %v, want %v", err, row.err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCapTTL(t *testing.T) {
	c, err := Decode([]byte("- {name: short, ttl: 5m}\n- {name: long, ttl: 2h}\n- {name: free}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		names []string
		want  time.Duration
	}{
		{[]string{"free"}, time.Hour}, {[]string{"long"}, time.Hour}, {[]string{"free", "long", "short"}, 5 * time.Minute},
		{[]string{"unknown"}, time.Hour}, {nil, time.Hour},
	} {
		if got := c.CapTTL(row.names, time.Hour); got != row.want {
			t.Errorf("%v: %v, want %v", row.names, got, row.want)
		}
	}
}

func TestHolds(t *testing.T) {
	for _, row := range []struct {
		granted, name string
		want          bool
	}{
		{"a b", "a", true}, {"a b", "b", true}, {"ab", "a", false}, {"a b", "a b", false}, {"", "a", false}, {"a:b", "a", false}, {"A", "a", false},
	} {
		if got := Holds(row.granted, row.name); got != row.want {
			t.Errorf("%q holds %q: %v", row.granted, row.name, got)
		}
	}
}
