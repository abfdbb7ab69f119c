package service_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

// A caller that guesses the secret of one client gets 429. Other callers, and
// callers with the right secret, are served (RFC 6749 §2.3.1).
func TestFailuresOfOneClient(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start(edits(limited(perClient, 0)))
		billing, shipping := s.NewClient(t, "billing", "users:read"), s.NewClient(t, "shipping", "users:read")
		guess := attempt{from: attacker, id: "billing", secret: "wrong"}
		exhaust(t, s, perClient, guess)
		refused(t, try(t, s, guess), "one failure too many")
		refused(t, try(t, s, guess), "and one more")
		refused(t, try(t, s, attempt{path: "/oauth/revoke", from: attacker, id: "billing", secret: "wrong"}), "at another endpoint")

		want(t, s, 200, attempt{from: attacker, id: "billing", secret: billing.ClientSecret}, "the right secret from the limited address")
		refused(t, try(t, s, guess), "a wrong one after the right one")
		want(t, s, 200, attempt{from: bystander, id: "billing", secret: billing.ClientSecret}, "the right secret from another address")
		want(t, s, 401, attempt{from: bystander, id: "billing", secret: "wrong"}, "a wrong secret from another address")
		want(t, s, 200, attempt{from: attacker, id: "shipping", secret: shipping.ClientSecret}, "another client from the limited address")
		want(t, s, 401, attempt{from: attacker, id: "shipping", secret: "wrong"}, "a wrong secret of another client")

		// A secret that is created while the limit holds works at once.
		made, err := s.Clients().Rotate(t.Context(), auditor, "billing", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		want(t, s, 200, attempt{from: attacker, id: "billing", secret: made.ClientSecret}, "a new secret from the limited address")
		late := s.NewClient(t, "late", "users:read")
		want(t, s, 200, attempt{from: attacker, id: "late", secret: late.ClientSecret}, "a new client from the limited address")
	})
}

func TestTheWindowEnds(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, edits(limited(perClient, 0)))
	s.NewClient(t, "billing", "users:read")
	guess := attempt{from: attacker, id: "billing", secret: "wrong"}
	for range 2 {
		exhaust(t, s, perClient, guess)
		refused(t, try(t, s, guess), "one failure too many")
		s.Clock.Add(window + time.Second)
	}
}

// Replicas share the count of failures, even with one that starts later.
func TestReplicasShareTheCount(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t).Addr
	o := edits(harness.OnRedis(redis), limited(perClient, 0))
	a, b := harness.Start(t, o), harness.Start(t, o)
	c := a.NewClient(t, "billing", "users:read")
	guess := attempt{from: attacker, id: "billing", secret: "wrong"}
	for i := range perClient {
		exhaust(t, []*harness.Server{a, b}[i%2], 1, guess)
	}
	refused(t, try(t, a, guess), "one replica")
	refused(t, try(t, b, guess), "the other replica")
	late := harness.Start(t, o)
	refused(t, try(t, late, guess), "a replica that started later")
	for i, s := range []*harness.Server{a, b, late} {
		want(t, s, 200, attempt{from: attacker, id: "billing", secret: c.ClientSecret}, fmt.Sprint("the right secret at replica ", i))
		want(t, s, 401, attempt{from: bystander, id: "billing", secret: "wrong"}, fmt.Sprint("another address at replica ", i))
	}
}

// An address that tries many clients gets 429 too, whether the clients exist or
// not.
func TestFailuresOfOneAddress(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start(edits(limited(perClient, perAddress)))
		c := s.NewClient(t, "client0", "users:read")
		for i := range perAddress {
			want(t, s, 401, attempt{from: attacker, id: fmt.Sprint("client", i), secret: "wrong"}, fmt.Sprint("client ", i))
		}
		refused(t, try(t, s, attempt{from: attacker, id: "one-more", secret: "wrong"}), "one client too many")
		want(t, s, 200, attempt{from: attacker, id: "client0", secret: c.ClientSecret}, "the right secret from the limited address")
		want(t, s, 401, attempt{from: bystander, id: "one-more", secret: "wrong"}, "another address")
	})
}

// TestWhatIsOneAddress reaches the limit from one address and checks which
// addresses are refused.
func TestWhatIsOneAddress(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, from string
		same       []string
		other      []string
	}{
		{"IPv4", "203.0.113.7", []string{"::ffff:203.0.113.7", "::ffff:cb00:7107", "192.0.2.1, 203.0.113.7", "junk, 203.0.113.7", "203.0.113.7, 127.0.0.9"}, []string{"203.0.113.8", "203.0.113.7, 192.0.2.1"}},
		{"IPv6_by_its_64", "2001:db8:1:2:3:4:5:6", []string{"2001:db8:1:2::1", "2001:DB8:1:2:ffff::"}, []string{"2001:db8:1:3::1", "2001:db8::1"}},
		{"with_a_port", "203.0.113.7:38792", []string{"203.0.113.7", "[::ffff:203.0.113.7]:443"}, []string{"203.0.113.8:38792"}},
		{"IPv6_with_a_port", "[2001:db8:1:2::1]:443", []string{"2001:db8:1:2::2", "[2001:db8:1:2::3]"}, []string{"[2001:db8:1:3::1]:443"}},
		{"no_header_is_the_proxy", "", nil, []string{"203.0.113.7", "junk"}},
		{"unreadable_is_an_address_of_its_own", "junk", []string{"203.0.113.7, junk", "unknown", "_hidden", "203.0.113.9, garbage, 127.0.0.9", "203.0.113.9,"}, []string{"", "203.0.113.7"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := harness.Start(t, edits(limited(perClient, 0)))
			exhaust(t, s, perClient, attempt{from: tc.from, id: "billing", secret: "wrong"})
			for _, from := range tc.same {
				refused(t, try(t, s, attempt{from: from, id: "billing", secret: "wrong"}), from)
			}
			for _, from := range tc.other {
				want(t, s, 401, attempt{from: from, id: "billing", secret: "wrong"}, from)
			}
		})
	}
}

// X-Forwarded-For counts only if a trusted proxy sent it.
func TestForwardedForOfAStranger(t *testing.T) {
	t.Parallel()
	for name, proxies := range map[string][]string{"no proxies": {}, "another proxy": {"10.0.0.0/8", "::1"}} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			o := edits(limited(perClient, 0))
			edit := o.Edit
			o.Edit = func(c *config.Config) { edit(c); c.Public.TrustedProxies = proxies }
			s := harness.Start(t, o)
			for i := range perClient {
				exhaust(t, s, 1, attempt{from: fmt.Sprint("203.0.113.", i), id: "billing", secret: "wrong"})
			}
			refused(t, try(t, s, attempt{from: bystander, id: "billing", secret: "wrong"}), "with another X-Forwarded-For")
		})
	}
}

// A proxy may also add a second X-Forwarded-For line after the caller's.
func TestForwardedForInTwoLines(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, edits(limited(perClient, 0)))
	guess := func(lines ...string) harness.Response {
		req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/oauth/token", strings.NewReader(grant.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header["X-Forwarded-For"] = lines
		req.SetBasicAuth("billing", "wrong")
		return harness.Do(t, nil, req)
	}
	for i := range perClient {
		if r := guess(fmt.Sprint("192.0.2.", i), attacker); r.Status != 401 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	refused(t, guess("192.0.2.77", attacker), "the last line counts")
}

// Unknown, deactivated, wrong, ended and not admitted credentials get the same
// responses, also at the limit.
func TestAlikeUpToTheLimit(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, edits(limited(perClient, 0)))
	kinds := map[string]attempt{}
	add := func(name, id, secret string) { kinds[name] = attempt{from: attacker, id: id, secret: secret} }
	add("unknown", "nobody", "wrong")
	known := s.NewClient(t, "known", "users:read")
	add("wrong", "known", "wrong")
	add("unknown, right form", "nobody-else", known.ClientSecret)
	other := s.NewClient(t, "other", "users:read")
	add("another client's", "other", known.ClientSecret)
	flipped := []byte(s.NewClient(t, "flipped", "users:read").ClientSecret)
	flipped[len(flipped)-10] ^= 1
	add("one bit off", "flipped", string(flipped))
	add("of the other environment", "other2", strings.Replace(other.ClientSecret, "_sandbox_", "_live_", 1))
	off := s.NewClient(t, "off", "users:read")
	if _, err := s.Clients().Deactivate(t.Context(), auditor, "off"); err != nil {
		t.Fatal(err)
	}
	add("deactivated", "off", off.ClientSecret)
	ended := s.NewClient(t, "ended", "users:read")
	if _, err := s.Clients().Rotate(t.Context(), auditor, "ended", 0); err != nil {
		t.Fatal(err)
	}
	add("ended", "ended", ended.ClientSecret)
	pinned := s.NewClient(t, "pinned", "users:read", func(c *clients.NewSpec) { c.AuthMethods = &[]string{auth.MethodPost} })
	add("pinned to another method", "pinned", pinned.ClientSecret)
	far := s.NewClient(t, "far", "users:read", func(c *clients.NewSpec) { c.SourceIPs = &[]string{"192.0.2.0/24"} })
	add("from another address than its own", "far", far.ClientSecret)

	var first []string
	for name, a := range kinds {
		var faces []string
		for range perClient + 2 {
			faces = append(faces, face(try(t, s, a)))
		}
		if first == nil {
			first = faces
		}
		if !slices.Equal(first, faces) {
			t.Errorf("%s differs:\n%s\n---\n%s", name, strings.Join(faces, "\n\n"), strings.Join(first, "\n\n"))
		}
	}
	if !strings.HasPrefix(strings.Join(first[:perClient], ""), "401") && !strings.Contains(first[0], "401") || !strings.Contains(first[perClient], "429") {
		t.Errorf("want 401 up to the limit and 429 beyond it, got %q", first)
	}
}

// An imported secret needs a slow hash. A caller that is over the limit is
// refused before it.
// It compares times, so no other test of the package runs beside it.
func TestImportedSecretsAreRefusedBeforeHashing(t *testing.T) {
	redis := redistest.Start(t).Addr
	o := edits(harness.OnRedis(redis), limited(perClient, 0))
	a, b := harness.Start(t, o), harness.Start(t, o)
	const secret = "correct horse battery staple"
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), 10)
	if err != nil {
		t.Fatal(err)
	}
	imported := string(hash)
	a.NewClient(t, "old", "users:read", func(c *clients.NewSpec) { c.SecretHash = imported })
	guess := attempt{from: attacker, id: "old", secret: "wrong"}
	took := func(s *harness.Server, status int) time.Duration {
		began := time.Now()
		want(t, s, status, guess, "a guess")
		return time.Since(began)
	}
	var hashed, unhashed []time.Duration
	for range perClient {
		hashed = append(hashed, took(a, 401))
	}
	// The other replica, which saw no failure, asks the store before it hashes.
	for range perClient {
		unhashed = append(unhashed, took(b, 429))
	}
	if median(unhashed)*4 > median(hashed) {
		t.Errorf("refused in %v, hashed in %v: was it hashed?", median(unhashed), median(hashed))
	}
	refused(t, try(t, a, guess), "the replica that counted")
	want(t, a, 200, attempt{from: bystander, id: "old", secret: secret}, "the right secret from another address")
	want(t, b, 429, attempt{from: attacker, id: "old", secret: secret}, "an imported secret is refused unchecked at the limit")
}

// A limiter that cannot count refuses no caller, because generated secrets
// cannot be guessed.
func TestStoreFailureOfTheLimiter(t *testing.T) {
	t.Parallel()
	opened, err := embedded.Open(embedded.Options{Path: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	faulty := storetest.NewFaulty(opened)
	o := edits(limited(perClient, perAddress))
	o.Use = faulty
	s := harness.Start(t, o)
	c := s.NewClient(t, "billing", "users:read")
	faulty.Fail("AddHits", store.ErrUnavailable)
	guess := attempt{from: attacker, id: "billing", secret: "wrong"}
	exhaust(t, s, 2*perAddress, guess)
	want(t, s, 200, attempt{from: attacker, id: "billing", secret: c.ClientSecret}, "the right secret")
	faulty.Heal("AddHits")
	exhaust(t, s, perClient, guess)
	refused(t, try(t, s, guess), "once it counts again")
}

// Callers of introspection are limited in the same way, and the 429 tells them
// nothing about the token (RFC 7662 §4).
func TestFailuresAtIntrospection(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, edits(limited(perClient, 0)))
	rs := s.NewClient(t, "rs", "introspect")
	c := s.NewClient(t, "billing", "users:read")
	live := s.Token(t, c, "")
	ask := func(secret, token string) harness.Response {
		return s.Form(t, "/oauth/introspect", "rs", secret, map[string][]string{"token": {token}})
	}
	for range perClient {
		if r := ask("wrong", live); r.Status != 401 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	for _, token := range []string{live, "made-up-0123456789"} {
		r := ask("wrong", token)
		refused(t, r, "introspection")
		if strings.Contains(r.Body, "active") {
			t.Errorf("the 429 says whether the token is active: %s", r.Body)
		}
	}
	if r := ask(rs.ClientSecret, live); r.Status != 200 || r.JSON(t)["active"] != true {
		t.Errorf("the right secret: %d %s", r.Status, r.Body)
	}
}
