package protocol_test

import (
	"encoding/base64"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

func TestTokenResponse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := time.Now().Unix()
	r := w.send(t, ask(grant, basic(w.app)))
	body := r.JSON(t)
	token, _ := body["access_token"].(string)
	told := w.send(t, form("/oauth/introspect", "token="+token, basic(w.rs))).JSON(t)

	t.Run("token_response", func(t *testing.T) {
		if r.Status != 200 || r.Header.Get("Content-Type") != "application/json" || token == "" || len(body) != 5 {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
	t.Run("token_no_store", func(t *testing.T) { wantHeader(t, r, "Cache-Control", "no-store") })
	t.Run("token_no_cache", func(t *testing.T) { wantHeader(t, r, "Pragma", "no-cache") })
	t.Run("token_type_is_bearer", func(t *testing.T) {
		if body["token_type"] != "Bearer" {
			t.Errorf("token_type %v", body["token_type"])
		}
	})
	t.Run("no_refresh_token", func(t *testing.T) {
		if _, ok := body["refresh_token"]; ok {
			t.Error("refresh_token is present")
		}
	})
	t.Run("token_form", func(t *testing.T) {
		if !b64token.MatchString(token) || !strings.HasPrefix(token, "gt_sandbox_") || len(token) != len("gt_sandbox_")+43 {
			t.Error("the token is not gt_sandbox_ and 43 base64url characters")
		}
	})
	t.Run("tokens_differ", func(t *testing.T) {
		second := w.token(t, w.app, "")
		if second == token || !w.introspect(t, w.rs, token) || !w.introspect(t, w.rs, second) {
			t.Error("both tokens are the same, or one of them is inactive")
		}
	})
	t.Run("created_at_is_iat", func(t *testing.T) {
		at, ok := body["created_at"].(float64)
		if !ok || body["created_at"] != told["iat"] || int64(at) < before || int64(at) > time.Now().Unix() {
			t.Errorf("created_at %v, iat %v", body["created_at"], told["iat"])
		}
	})
	t.Run("token_is_opaque", func(t *testing.T) {
		inside := raw(t, token)
		for _, v := range []string{w.app.ClientID, w.app.SecretID, "users"} {
			if strings.Contains(inside, v) {
				t.Errorf("the token holds %q", v)
			}
		}
	})
	t.Run("security_headers", func(t *testing.T) {
		wantHeader(t, r, "Set-Cookie", "")
		wantHeader(t, r, "X-Content-Type-Options", "nosniff")
	})
}

// raw decodes the part of the token after its prefix.
func raw(t *testing.T, token string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.Strict().DecodeString(token[len(token)-43:])
	if err != nil || len(b) != 32 {
		t.Fatalf("not 43 base64url characters: %v", err)
	}
	return string(b)
}

func wantHeader(t *testing.T, r harness.Response, name, want string) {
	t.Helper()
	if got := strings.Join(r.Header.Values(name), ", "); got != want {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
}

// Each of the 160 random bits is sometimes 0 and sometimes 1, and no two tokens
// have the same ones. A test cannot show that they are random: review
// keyring.go.
func TestTokenEntropy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	t.Run("token_entropy", func(t *testing.T) {
		const n = 64
		var ones [160]int
		seen := map[string]bool{}
		for range n {
			random := raw(t, w.token(t, w.app, ""))[:20]
			seen[random] = true
			for i := range ones {
				ones[i] += int(random[i/8]>>(i%8)) & 1
			}
		}
		if len(seen) != n {
			t.Errorf("%d of %d tokens are different", len(seen), n)
		}
		for i, count := range ones { // wrong by chance once in 2^56 runs
			if count == 0 || count == n {
				t.Errorf("bit %d is always the same", i)
			}
		}
	})
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	ttl := int64(90)
	w := newWorld(t, func(c *config.Config) { c.Token.TTL = 7200 * time.Second })
	short := w.client(t, "short", appScope, func(s *clients.NewSpec) { s.TokenTTL = &ttl })
	expiresIn := func(c clients.Created) any { return w.send(t, ask(grant, basic(c))).JSON(t)["expires_in"] }
	t.Run("token_lifetime/of_the_server", func(t *testing.T) {
		if got := expiresIn(w.app); got != 7200.0 {
			t.Errorf("expires_in %v", got)
		}
	})
	t.Run("token_lifetime/of_the_client", func(t *testing.T) {
		if got := expiresIn(short); got != 90.0 {
			t.Errorf("expires_in %v", got)
		}
	})
	// A replica with a wrong clock returns the same lifetime: it does not
	// subtract two clocks.
	t.Run("lifetime_with_wrong_clock", func(t *testing.T) {
		w.Clock.Add(5 * time.Minute)
		if got := expiresIn(w.app); got != 7200.0 {
			t.Errorf("expires_in %v", got)
		}
	})
}

// The store keeps only the digest of a token, and only as long as it lives.
func TestTokenAtRest(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		var c config.Config
		w := startWorld(t, start, harness.Options{Edit: func(now *config.Config) { c = *now }})
		w.populate(t)
		on := c.Store.Backend
		body := w.send(t, ask(grant, basic(w.app))).JSON(t)
		token := body["access_token"].(string)
		revoked := w.token(t, w.app, "")
		granted("", call{}).check(t, w.send(t, form("/oauth/revoke", "token="+revoked, basic(w.app))))
		for _, active := range []string{token, revoked} {
			w.introspect(t, w.rs, active)
			w.keep(raw(t, active))
		}
		digest := tokens.DigestOf(token)

		if on == "embedded" {
			t.Run("tokens_are_hashed/raw_token_not_in_the_file", func(t *testing.T) {
				w.Close()
				file := readFile(t, filepath.Join(c.Store.Embedded.Path, "grantd.db"))
				w.holdsNoSecret(t, "file", file)
				if !strings.Contains(file, string(digest[:])) {
					t.Error("the digest is missing too: this test looks in the wrong place")
				}
			})
			return
		}
		r := dialRedis(t, c.Store.Redis.Addresses[0])
		t.Run("token_lifetime/redis_ttl", func(t *testing.T) {
			want := int64(body["expires_in"].(float64)) + int64(store.TokenKept/time.Second)
			for _, k := range r.keys() {
				if !strings.HasSuffix(k, string(digest[:])) && !strings.Contains(k, tokens.ID(digest)) {
					continue
				}
				if ttl := r.do("PTTL", k).(int64); ttl < (want-3)*1000 || ttl > (want+1)*1000 {
					t.Errorf("%d ms, want %d s", ttl, want)
				}
				return
			}
			t.Error("Redis has no key of the token")
		})
		t.Run("tokens_are_hashed/raw_token_not_in_redis", func(t *testing.T) {
			dump := r.dump()
			w.holdsNoSecret(t, "Redis", dump)
			if !strings.Contains(dump, string(digest[:])) {
				t.Error("the digest is missing too: this test looks in the wrong place")
			}
		})
		t.Run("tokens_expire_by_themselves/every_token_ends_by_itself", func(t *testing.T) {
			found, without := 0, 0
			for _, k := range r.keys() {
				if strings.HasPrefix(k, c.Store.Redis.KeyPrefix+"t:") {
					found++
					if r.do("PTTL", k).(int64) < 0 {
						without++
					}
				}
			}
			if found != 2 || without > 0 {
				t.Errorf("%d tokens, %d without a TTL; want 2, 0", found, without)
			}
		})
	})
}

// A token that could not be stored is not issued.
func TestTokenNotStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	unavailable := row{status: 503, code: "temporarily_unavailable"}
	for name, fail := range map[string]func(string, error){
		"no_token_without_store/not_stored":               w.store.Fail,
		"no_token_without_store/stored_but_response_lost": w.store.FailAfter,
	} {
		t.Run(name, func(t *testing.T) {
			fail("PutToken", store.ErrUnavailable)
			defer w.store.Heal("PutToken")
			r := w.send(t, ask(grant, basic(w.app)))
			unavailable.check(t, r)
			if strings.Contains(r.Body, "access_token") {
				t.Error("a token was issued")
			}
		})
	}
	t.Run("no_token_without_store/afterwards", func(t *testing.T) { granted("", call{}).check(t, w.send(t, ask(grant, basic(w.app)))) })
}

// Without Redis every response is 503, never 401 and never inactive. The cache
// may still be used while the feed counts as fresh.
func TestRedisDown(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	w := startWorld(t, func(o ...harness.Options) *harness.Server { return harness.Start(t, o...) },
		harness.Options{Edit: harness.OnRedis(server.Addr)})
	w.populate(t)
	cached, uncached := w.token(t, w.app, ""), w.token(t, w.app, "")
	if !w.introspect(t, w.rs, cached) {
		t.Fatal("not active")
	}
	server.Kill()
	unavailable := row{status: 503, code: "temporarily_unavailable"}
	t.Run("no_token_without_store/redis_down_no_token", func(t *testing.T) {
		unavailable.check(t, w.send(t, ask(grant, basic(w.app))))
	})
	t.Run("introspect_store_down/redis_down_token_not_cached", func(t *testing.T) {
		unavailable.check(t, w.send(t, form("/oauth/introspect", "token="+uncached, basic(w.rs))))
	})
	t.Run("introspect_store_down/redis_down_token_cached", func(t *testing.T) {
		deadline := time.Now().Add(20 * time.Second)
		for {
			r := w.send(t, form("/oauth/introspect", "token="+cached, basic(w.rs)))
			if r.Status == 503 {
				unavailable.check(t, r)
				return
			}
			if r.Status != 200 || r.JSON(t)["active"] != true || time.Now().After(deadline) {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
		}
	})
	t.Run("revoke_store_down/redis", func(t *testing.T) {
		unavailable.check(t, w.send(t, form("/oauth/revoke", "token="+cached, basic(w.app))))
	})
	t.Run("unknown_client_looks_alike/redis_down_wrong_secret", func(t *testing.T) {
		unavailable.check(t, w.send(t, ask(grant, basicOf("app", wrong))))
	})
}

// A client that disconnects breaks nothing: the stored token expires by itself,
// and the server goes on.
func TestClientDisconnects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	t.Run("tokens_expire_by_themselves/client_disconnects_after_store", func(t *testing.T) {
		conn := w.dial(t)
		gone := make(chan struct{})
		w.store.Hook("PutToken", func() { conn.Close(); close(gone) })
		if _, err := io.WriteString(conn, ask(grant, basic(w.app)).bytes()); err != nil {
			t.Fatal(err)
		}
		<-gone
		w.store.Heal("PutToken")
		granted("", call{}).check(t, w.send(t, ask(grant, basic(w.app))))
	})
	t.Run("tokens_expire_by_themselves/the_record_ends_with_the_token", func(t *testing.T) {
		d := tokens.DigestOf(w.token(t, w.app, ""))
		if _, err := w.store.GetToken(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		w.Clock.Add(time.Hour)
		if _, err := w.store.GetToken(t.Context(), d); err == nil {
			t.Error("the record is still there")
		}
	})
}
