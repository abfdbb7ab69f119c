package tokens

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/store"
)

// plain returns a token with only those fields that every token has.
func plain() store.Token {
	return store.Token{
		Use: store.UseClient, ClientID: "billing", SecretID: "a1B2c3D4", Scopes: "users:read customers",
		IssuedAt: now.UTC(), ExpiresAt: now.Add(time.Hour).UTC(), Position: store.Position{Time: 1753488000123, Seq: 4},
	}
}

// TestCachedTokenIsWhole shows that the cache returns every field of a token.
func TestCachedTokenIsWhole(t *testing.T) {
	tokens := map[string]store.Token{"plain": plain(), "empty": {}}
	for i := range reflect.TypeFor[store.Token]().NumField() {
		token := plain()
		field := reflect.ValueOf(&token).Elem().Field(i)
		switch field.Interface().(type) {
		case string:
			field.SetString("other")
		case store.TokenUse:
			token.Use = store.UseOnBehalf
		case []string:
			field.Set(reflect.ValueOf([]string{"x"}))
		case []store.Resource:
			token.Resources = []store.Resource{{Type: "card", IDs: []string{"12"}}}
		case time.Time:
			field.Set(reflect.ValueOf(now.Add(time.Minute).UTC()))
		case store.Position:
			token.Position = store.Position{Seq: 9}
		case *store.Revocation:
			token.Revoked = &store.Revocation{By: "uid:0"}
		default:
			t.Fatalf("a token has a %s", field.Type())
		}
		tokens[reflect.TypeFor[store.Token]().Field(i).Name] = token
	}
	for name, want := range tokens {
		if d := cmp.Diff(want, *newCachedToken(&want, 1).token()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// TestCacheTakesNoLargeTokens shows that callers, who choose how many resources a
// token has, cannot fill the memory with them.
func TestCacheTakesNoLargeTokens(t *testing.T) {
	ids := func(n int) store.Token {
		token := plain()
		token.Resources = []store.Resource{{Type: "card", IDs: make([]string, n)}}
		return token
	}
	for token, want := range map[*store.Token]bool{ptr(plain()): true, ptr(ids(1)): true, ptr(ids(32)): true, ptr(ids(256)): false} {
		if cacheable(token) != want {
			t.Errorf("%d ids: %v", len(token.Resources), !want)
		}
	}
}

func ptr(t store.Token) *store.Token { return &t }
