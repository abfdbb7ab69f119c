package guard_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/grantd/grantd/scopes/guard"
)

func TestContext(t *testing.T) {
	ctx := context.Background()
	if token, ok := guard.FromContext(ctx); ok || token != nil {
		t.Errorf("an empty context has %v", token)
	}
	if _, ok := guard.FromContext(guard.NewContext(ctx, nil)); ok {
		t.Error("no token counts as one")
	}
	type key struct{}
	ctx = context.WithValue(ctx, key{}, "value")
	ctx, cancel := context.WithCancel(guard.NewContext(ctx, &guard.Token{Subject: "client:a"}))
	inner := guard.NewContext(context.WithValue(ctx, "a", 1), &guard.Token{Subject: "client:b"}) //nolint:revive,staticcheck // any key
	if token, ok := guard.FromContext(ctx); !ok || token.Subject != "client:a" {
		t.Errorf("token %v", token)
	}
	if token, ok := guard.FromContext(inner); !ok || token.Subject != "client:b" || inner.Value(key{}) != "value" {
		t.Errorf("token %v", token)
	}
	cancel()
	select {
	case <-inner.Done():
	case <-time.After(5 * time.Second):
		t.Error("the context does not end with the one around it")
	}
}

func TestAllowed(t *testing.T) {
	cards := &guard.Token{Resources: []guard.Resource{{Type: "card", IDs: []string{"12", "13"}}, {Type: "card", IDs: []string{"14"}}, {Type: "account"}}}
	for _, row := range []struct {
		rule    string
		token   *guard.Token
		typ, id string
		want    bool
	}{
		{"one of them", cards, "card", "12", true},
		{"another of them", cards, "card", "13", true},
		{"the type is repeated", cards, "card", "14", true},
		{"none of them", cards, "card", "1", false},
		{"a type without ids", cards, "account", "1", false},
		{"a type that is not named", cards, "statement", "12", false},
		{"an empty id", cards, "card", "", false},
		{"no restriction", &guard.Token{}, "card", "1", true},
		{"no token", nil, "card", "12", false},
	} {
		ctx := httptest.NewRequest("GET", "/", nil).Context()
		if row.token != nil {
			ctx = guard.NewContext(ctx, row.token)
		}
		if got := guard.Allowed(ctx, row.typ, row.id); got != row.want {
			t.Errorf("%s: %v", row.rule, got)
		}
	}
}
