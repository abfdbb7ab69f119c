package gateways

import "testing"

// TestWithoutAQuestion: a part of the file that names no question lets nothing pass.
func TestWithoutAQuestion(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs programs of others")
	}
	without := func(g Gateway, start func(testing.TB, Settings) string) Gateway {
		g.Start = start
		return g
	}
	for _, g := range []Gateway{
		without(nginx, startNginx("auth_request /grantd/accounts;", "")),
		without(caddy, startCaddy("import ask scope=accounts", "")),
	} {
		t.Run(g.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, g.Family)
			c := w.newCases(t, g, w.deciders()[0])
			c.check(t, row{"good", request{token: c.good}, 200, "", shop})
			c.check(t, row{"without a question", request{path: "/accounts/1", token: c.good}, 403, "", nil})
		})
	}
}
