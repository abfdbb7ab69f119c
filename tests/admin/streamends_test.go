package admin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// endsWithin is how soon a stream ends after its credential: a second, and room for a
// busy machine.
const endsWithin = 3 * time.Second

// TestStreamEndsWithItsCredential ends the credential of a stream in each way.
func TestStreamEndsWithItsCredential(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		for name, c := range map[string]struct {
			spec   object
			end    func(rs object, id string)
			status int // of the next request; 0: the client is as before
		}{
			"secret": {end: func(rs object, id string) {
				do(t, s, "POST", "/clients/"+id+"/secrets", object{"grace": "1h"}, 201)
				do(t, s, "DELETE", "/clients/"+id+"/secrets/"+rs["secret_id"].(string), nil, 204)
			}, status: 401},
			"deactivated": {end: func(_ object, id string) { do(t, s, "POST", "/clients/"+id+"/deactivate", nil, 200) }, status: 401},
			"deleted":     {end: func(_ object, id string) { do(t, s, "DELETE", "/clients/"+id, nil, 204) }, status: 401},
			"right":       {end: func(_ object, id string) { do(t, s, "PATCH", "/clients/"+id, object{"scope": "users:read"}, 200) }, status: 403},
			"method": {end: func(_ object, id string) {
				do(t, s, "PATCH", "/clients/"+id, object{"auth_methods": []string{"client_secret_post"}}, 200)
			}, status: 401},
			"address": {end: func(_ object, id string) {
				do(t, s, "PATCH", "/clients/"+id, object{"source_ips": []string{"192.0.2.0/24"}}, 200)
			}, status: 401},
			"org": {spec: object{"org_id": "acme"}, end: func(_ object, _ string) { do(t, s, "POST", "/orgs/acme/deactivate", nil, 200) }, status: 401},
		} {
			if c.spec["org_id"] != nil {
				putOrg(t, s, "acme", "Acme")
			}
			spec := object{"client_id": "rs-" + name, "scope": "introspect users:read"}
			for k, v := range c.spec {
				spec[k] = v
			}
			rs := create(t, s, spec)
			stream := openStream(t, s, rs, "")
			stream.Await(t, "fresh", nil)
			c.end(rs, "rs-"+name)
			done := time.Now()
			if _, at := stream.AwaitEnd(t); at.Sub(done) > endsWithin {
				t.Errorf("%s: the stream ended %v later", name, at.Sub(done))
			}
			req, err := http.NewRequest(http.MethodGet, s.URL+"/oauth/revocations", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth(rs["client_id"].(string), rs["client_secret"].(string))
			if r := harness.Do(t, nil, req); r.Status != c.status {
				t.Errorf("%s: the next stream: %d %s", name, r.Status, r.Body)
			}
		}
	})
}

// bearerStream opens a stream with a token of the client.
func bearerStream(t *testing.T, s *harness.Server, token string) *harness.Stream {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.URL+"/oauth/revocations", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return harness.OpenStream(t, nil, req)
}

// TestStreamOfABearerToken ends with the token: revoked, void, or expired.
func TestStreamOfABearerToken(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		for name, end := range map[string]func(token string){
			"revoked": func(token string) { do(t, s, "POST", "/tokens/revoke", object{"token": token}, 200) },
			"void":    func(string) { do(t, s, "POST", "/clients/void/void-tokens", nil, 200) },
			"all":     func(string) { do(t, s, "POST", "/tokens/void-all", nil, 200) },
			"expired": func(string) { s.Clock.Add(2 * time.Hour) },
		} {
			c := create(t, s, object{"client_id": name, "scope": "introspect", "default_scope": "introspect"})
			token, _ := tokenFor(t, s, name, c["client_secret"].(string))
			stream := bearerStream(t, s, token)
			stream.Await(t, "fresh", nil)
			end(token)
			done := time.Now()
			if _, at := stream.AwaitEnd(t); at.Sub(done) > endsWithin {
				t.Errorf("%s: the stream ended %v later", name, at.Sub(done))
			}
		}
	})
}

// TestStreamSaysWhatIsRegistered: first, and after each change, before a reset.
func TestStreamSaysWhatIsRegistered(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		rs := create(t, s, object{"client_id": "rs", "scope": "introspect"})
		create(t, s, object{"client_id": "other", "scope": "introspect"})
		stream := openStream(t, s, rs, "")
		if e := stream.Await(t, "registration", nil); !strings.HasPrefix(e.Data, `{"client_id":"rs","token_uses":["client"],"enforces":[],"resource":"","at_ms":`) || e.ID != "" {
			t.Errorf("registration %+v", e)
		}
		do(t, s, "PATCH", "/clients/other", object{"enforces": []string{"source_ip"}}, 200)
		do(t, s, "PATCH", "/clients/rs", object{"name": "Another name"}, 200)
		do(t, s, "PATCH", "/clients/rs", object{"enforces": []string{"source_ip"}, "token_uses": []string{"client", "key"}, "resource": "https://api.example.com"}, 200)
		if e := stream.Await(t, "registration", nil); !strings.HasPrefix(e.Data, `{"client_id":"rs","token_uses":["client","key"],"enforces":["source_ip"],"resource":"https://api.example.com","at_ms":`) {
			t.Errorf("registration %+v", e)
		}
		next := <-stream.Events
		if next.Name != "reset" || next.Data != `{"reason":"registration"}` {
			t.Errorf("then %+v", next)
		}
		if next = <-stream.Events; next.Name != "fresh" {
			t.Errorf("then %+v", next)
		}
	})
}

// TestStreamLimits: a stream too many gets 429. A stop ends those that are open, says
// when to come back, and waits for none of them.
func TestStreamLimits(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Edit: func(c *config.Config) { c.Stream.MaxReadersPerClient, c.Stream.MaxReaders = 2, 3 }})
	rs := create(t, s, object{"client_id": "rs", "scope": "introspect"})
	other := create(t, s, object{"client_id": "other", "scope": "introspect"})
	first := openStream(t, s, rs, "")
	second := openStream(t, s, rs, "")
	third := openStream(t, s, other, "")
	for _, c := range []object{rs, other} {
		req, err := http.NewRequest(http.MethodGet, s.URL+"/oauth/revocations", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(c["client_id"].(string), c["client_secret"].(string))
		if r := harness.Do(t, nil, req); r.Status != http.StatusTooManyRequests || r.Header.Get("Retry-After") != "5" {
			t.Errorf("%v: %d %v %s", c["client_id"], r.Status, r.Header, r.Body)
		}
	}
	second.Close()
	poll.AwaitTrue(t, 10*time.Second, "the log line of the reader that left", func() bool {
		return strings.Contains(s.Logs.String(), `"note":"stream ended: left"`)
	})
	for _, stream := range []*harness.Stream{first, third} {
		stream.Await(t, "fresh", nil)
	}
	began := time.Now()
	s.Close()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
	for _, stream := range []*harness.Stream{first, third} {
		stream.AwaitEnd(t)
		if stream.Retry() == "" {
			t.Error("no retry")
		}
	}
	if log := s.Logs.String(); strings.Count(log, `"note":"stream ended: drain"`) != 2 || strings.Count(log, `"note":"stream ended: left"`) != 1 {
		t.Error("the log does not have one line for each stream")
	}
}
