package guard_test

import (
	"context"
	"errors"
	"log"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/scopes/guard"
)

// What GUARD.md shows, so that it compiles. TestGuide compares both.

var (
	users, card, pay http.Handler
	proxies          netip.Prefix
	scopesOf         map[string][]string
)

func fiveLines() {
	g, err := guard.New(guard.Config{Issuer: "https://auth.example.com", ClientID: "users-api", SecretFile: "/run/secrets/users-api"})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("GET /users", g.Require("users:read")(users))
}

func customersAndKeys() error {
	g, err := guard.New(guard.Config{
		Issuer: "https://auth.example.com", ClientID: "cards-api", SecretFile: "/run/secrets/cards-api",
		TokenUses: []string{guard.UseClient, guard.UseCustomer},
		Enforces:  []string{guard.EnforceResources},
	})
	if err != nil {
		return err
	}
	http.Handle("GET /cards/{id}", g.RequireUse([]string{guard.UseCustomer}, "cards")(card))
	http.Handle("POST /payments", g.RequireUse([]string{guard.UseCustomer}, "payments")(guard.MaxAge(5*time.Minute)(pay)))
	return nil
}

var _ = guard.Config{
	ClientIP: func(r *http.Request) netip.Addr {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !proxies.Contains(peer.Addr().Unmap()) { // proxies is a netip.Prefix
			return peer.Addr() // without a proxy, or zero: then no token that is bound to addresses passes
		}
		last := r.Header.Values("X-Forwarded-For")
		if len(last) == 0 {
			return netip.Addr{}
		}
		hops := strings.Split(last[len(last)-1], ",")
		address, _ := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1])) // what the proxy added
		return address
	},
}

// authorize returns the context for the handler of a call. values is the metadata "authorization" of the call
// (metadata.ValueFromIncomingContext), method its name (grpc.UnaryServerInfo.FullMethod).
func authorize(ctx context.Context, g *guard.Guard, values []string, method string) (context.Context, *guard.Refusal) {
	scopes, known := scopesOf[method]
	if !known {
		return nil, &guard.Refusal{Status: http.StatusForbidden, Code: guard.CodeInsufficientScope, Description: "no token may call this method"}
	}
	if len(values) != 1 || !strings.HasPrefix(values[0], "Bearer ") {
		return nil, &guard.Refusal{Status: http.StatusUnauthorized, Description: "a bearer token is needed"}
	}
	token, err := g.Check(ctx, strings.TrimPrefix(values[0], "Bearer "), guard.Need{Scopes: scopes})
	if err != nil {
		refusal := &guard.Refusal{Status: http.StatusServiceUnavailable, Cause: err}
		errors.As(err, &refusal)
		return nil, refusal
	}
	return guard.NewContext(ctx, token), nil
}

// TestGuide: each line of Go in GUARD.md is in this file, in the same order.
func TestGuide(t *testing.T) {
	_, _ = fiveLines, customersAndKeys
	guide, err := os.ReadFile("GUARD.md")
	if err != nil {
		t.Fatal(err)
	}
	rest, err := os.ReadFile("guide_test.go")
	if err != nil {
		t.Fatal(err)
	}
	compiled := strings.Split(string(rest), "\n")
	shown, inside := 0, false
	for number, line := range strings.Split(string(guide), "\n") {
		if strings.HasPrefix(line, "```") {
			inside = line == "```go"
			continue
		}
		line = strings.TrimSpace(line)
		if !inside || line == "" || line == "…" || strings.HasPrefix(line, "import ") {
			continue
		}
		shown++
		for len(compiled) > 0 && strings.TrimSpace(compiled[0]) != line {
			compiled = compiled[1:]
		}
		if len(compiled) == 0 {
			t.Fatalf("GUARD.md:%d: this line is not in guide_test.go, or in another order: %s", number+1, line)
		}
		compiled = compiled[1:]
	}
	if shown < 40 {
		t.Errorf("%d lines of Go in GUARD.md", shown)
	}
}

// TestAuthorize has a row for each outcome of what GUARD.md shows for gRPC.
func TestAuthorize(t *testing.T) {
	s := startServer(map[string]string{"good": active("client", `,"scope":"users:read"`)})
	defer s.Close()
	g := newGuard(t, s, nil)
	scopesOf = map[string][]string{"/users/List": {"users:read"}, "/users/Delete": {"users:write"}}
	for _, row := range []struct {
		rule, method string
		values       []string
		status       int
	}{
		{"a token", "/users/List", []string{"Bearer good"}, 0},
		{"no token", "/users/List", nil, 401},
		{"two tokens", "/users/List", []string{"Bearer good", "Bearer good"}, 401},
		{"another scheme", "/users/List", []string{"Basic YTpi"}, 401},
		{"an unknown token", "/users/List", []string{"Bearer bad"}, 401},
		{"a scope is missing", "/users/Delete", []string{"Bearer good"}, 403},
		{"a method that nobody listed", "/users/Other", []string{"Bearer good"}, 403},
	} {
		ctx, refusal := authorize(t.Context(), g, row.values, row.method)
		if row.status == 0 {
			if token, ok := guard.FromContext(ctx); refusal != nil || !ok || !token.Active {
				t.Errorf("%s: %v", row.rule, refusal)
			}
		} else if refusal == nil || refusal.Status != row.status {
			t.Errorf("%s: %v, want %d", row.rule, refusal, row.status)
		}
	}
}
