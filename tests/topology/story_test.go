package topology_test

import (
	"net/http"
	"testing"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/tests/harness"
)

// endings holds the ways to end tokens of a client.
var endings = []struct {
	name string
	end  func(t testing.TB, s *harness.Server, c clients.Created, token string) harness.Response
	// others means that the client's other tokens end too.
	others bool
	// refused means that the client cannot authenticate afterwards.
	refused bool
}{
	{name: "RFC 7009", end: revoke},
	{name: "revoke", end: func(t testing.TB, s *harness.Server, _ clients.Created, token string) harness.Response {
		return admin(t, s, http.MethodPost, "/tokens/revoke", map[string]any{"token": token})
	}},
	{name: "void", others: true, end: onClient(http.MethodPost, "/void-tokens")},
	{name: "deactivate", others: true, refused: true, end: onClient(http.MethodPost, "/deactivate")},
	{name: "delete", others: true, refused: true, end: onClient(http.MethodDelete, "")},
	{name: "end secret", others: true, refused: true, end: func(t testing.TB, s *harness.Server, c clients.Created, _ string) harness.Response {
		return admin(t, s, http.MethodDelete, "/clients/"+c.ClientID+"/secrets/"+c.SecretID+"?void_tokens=true", nil)
	}},
}

func onClient(method, path string) func(testing.TB, *harness.Server, clients.Created, string) harness.Response {
	return func(t testing.TB, s *harness.Server, c clients.Created, _ string) harness.Response {
		return admin(t, s, method, "/clients/"+c.ClientID+path, nil)
	}
}

// story tests the life of a token: issued at one server it is active at both;
// ended at one it is inactive at the other within max_staleness of the
// acknowledgement, and stays so.
func story(t *testing.T, top topology) {
	w := newWorld(t, top, "auto")
	untouched := w.a.Token(t, w.a.NewClient(t, "untouched", "users:read"), "")
	t.Run("endings", func(t *testing.T) {
		for _, e := range endings {
			for i, at := range w.servers() {
				t.Run(e.name, func(t *testing.T) {
					t.Parallel()
					c := at.NewClient(t, "", "users:read")
					tokens := w.tokens(t, c, 4)
					for _, token := range tokens[:3] { // the last one is in no cache
						w.active(t, token, "issued")
					}
					over, kept := tokens, []string(nil)
					if !e.others {
						over, kept = tokens[3:], tokens[:3]
					}
					ack := e.end(t, at, c, tokens[3])
					if ack.Status >= 300 {
						t.Fatalf("not acknowledged: %v", ack)
					}
					other := w.servers()[1-i]
					for _, token := range over {
						a := w.introspect(t, other, token)
						for a.Active() && a.Sent.Before(ack.Got.Add(staleness)) {
							a = w.introspect(t, other, token)
						}
						if !a.Inactive() {
							t.Errorf("%v after the acknowledgement: %v", a.Sent.Sub(ack.Got), a)
						}
						w.inactive(t, token, "for good")
					}
					for _, token := range kept {
						w.active(t, token, "not ended")
					}
					for _, s := range w.servers() {
						if _, a := issue(t, s, c); a.Status == 200 == e.refused {
							t.Errorf("issuing afterwards: %v", a)
						}
					}
				})
			}
		}
	})
	w.active(t, untouched, "a token that nothing happened to")
}
