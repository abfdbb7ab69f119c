package envoy

import (
	"testing"
	"time"

	"github.com/grantd/grantd/server/oauth"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// TestLive: with a server, a token passes until a second after it is revoked, and nothing
// passes without the server.
func TestLive(t *testing.T) {
	s := harness.Start(t)
	rs, shop := s.NewClient(t, "users-api", "introspect"), s.NewClient(t, "shop", "users:read")
	proxy := harness.StartProxy(t, s.URL[len("http://"):])
	set := settings(t, "http://"+proxy.Addr, rs.ClientID, rs.ClientSecret)
	set.Issuer, set.TokenUses = s.URL, []string{"client"}
	x := start(t, set, nil)
	poll.AwaitTrue(t, patience, "the edge is ready", x.Ready)

	token, other := s.Token(t, shop, "users:read"), s.Token(t, shop, "users:read")
	for name, tc := range map[string]struct {
		call   call
		status int
	}{
		"good": {bearer("Bearer " + token), 200}, "garbage": {bearer("Bearer " + token + "x"), 401}, "no token": {bearer(""), 401},
		"wrong scope": {func() call {
			k := bearer("Bearer " + token)
			k.extensions["scope"] = "users:write"
			return k
		}(), 403},
	} {
		if o := x.do(t, tc.call); o.status != tc.status {
			t.Errorf("%s: %+v, want %d", name, o, tc.status)
		}
	}
	if r := s.Form(t, oauth.PathRevoke, shop.ClientID, shop.ClientSecret, map[string][]string{"token": {token}}); r.Status != 200 {
		t.Fatal(r)
	}
	acknowledged := time.Now()
	poll.AwaitTrue(t, patience, "the revoked token is refused", func() bool { return x.do(t, bearer("Bearer "+token)).status == 401 })
	t.Logf("refused after %v", time.Since(acknowledged))
	if o := x.do(t, bearer("Bearer "+other)); !o.passed {
		t.Errorf("the other token: %+v", o)
	}

	proxy.Set(harness.Hanging)
	poll.AwaitTrue(t, patience, "without the server nothing passes", func() bool {
		begun := time.Now()
		o := x.do(t, bearer("Bearer "+other))
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("%+v took %v", o, took)
		}
		return o.status == 503 && o.headers["retry-after"] != ""
	})
}
