package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// keysOf returns the keys that the server publishes.
func keysOf(s *harness.Server) (map[string]*ecdsa.PublicKey, error) {
	r, err := s.TryGet("/oauth/jwks")
	if err != nil || r.Status != 200 {
		return nil, fmt.Errorf("%v %w", r, err)
	}
	var set struct{ Keys []struct{ Kid, X, Y string } }
	if err := json.Unmarshal([]byte(r.Body), &set); err != nil {
		return nil, err
	}
	keys := map[string]*ecdsa.PublicKey{}
	for _, k := range set.Keys {
		x, _ := base64.RawURLEncoding.DecodeString(k.X)
		y, _ := base64.RawURLEncoding.DecodeString(k.Y)
		if keys[k.Kid], err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y)); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// signedBy returns the id of the key that s signs with. The other server must publish
// it at that moment.
func signedBy(s, other *harness.Server, rs clients.Created) (kid string, err error) {
	req, err := http.NewRequest(http.MethodPost, s.URL+"/oauth/introspect", strings.NewReader(url.Values{"token": {"made-up"}}.Encode()))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(rs.ClientID, rs.ClientSecret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/token-introspection+jwt")
	r, err := harness.Send(nil, req)
	if err != nil || r.Status != 200 {
		return "", fmt.Errorf("%v %w", r, err)
	}
	published, err := keysOf(other)
	if err != nil {
		return "", err
	}
	_, err = jwt.Parse(r.Body, func(token *jwt.Token) (any, error) {
		kid, _ = token.Header["kid"].(string)
		if published[kid] == nil {
			return nil, fmt.Errorf("key %s is not published by the other", kid)
		}
		return published[kid], nil
	}, jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(s.URL), jwt.WithAudience(rs.ClientID))
	return kid, err
}

func mustSign(t *testing.T, s, other *harness.Server, rs clients.Created) string {
	t.Helper()
	kid, err := signedBy(s, other, rs)
	if err != nil {
		t.Fatal(err)
	}
	return kid
}

// TestSigningKeyRecordsTwoReplicas rotates and removes keys while both replicas sign: each
// signature can be verified with what the other one publishes.
func TestSigningKeyRecordsTwoReplicas(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	first := mustSign(t, p.a, p.b, p.rs)
	if other := mustSign(t, p.b, p.a, p.rs); other != first {
		t.Errorf("the replicas sign with %s and %s", first, other)
	}
	quit, done := make(chan struct{}), make(chan error, 2)
	for _, at := range [][2]*harness.Server{{p.a, p.b}, {p.b, p.a}} {
		go func() {
			for {
				if _, err := signedBy(at[0], at[1], p.rs); err != nil {
					done <- err
					return
				}
				select {
				case <-quit:
					done <- nil
					return
				default:
				}
			}
		}()
	}
	admin(t, p.a, 200, http.MethodPost, "/signing-keys/rotate", nil)
	admin(t, p.b, 409, http.MethodPost, "/signing-keys/rotate", map[string]any{})
	admin(t, p.b, 200, http.MethodPost, "/signing-keys/rotate", map[string]any{"now": true})
	second := mustSign(t, p.a, p.b, p.rs)
	admin(t, p.a, 200, http.MethodPost, "/signing-keys/rotate", map[string]any{"now": true})
	admin(t, p.b, 204, http.MethodDelete, "/signing-keys/"+second, nil)
	close(quit)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	signing := mustSign(t, p.b, p.a, p.rs)
	admin(t, p.a, 204, http.MethodDelete, "/signing-keys/"+signing, nil)
	for _, s := range []*harness.Server{p.a, p.b} {
		keys, err := keysOf(s)
		if err != nil {
			t.Fatal(err)
		}
		if keys[signing] != nil || keys[second] != nil || keys[first] == nil || len(keys) != 2 { // the first and a new one
			t.Errorf("keys %v", keys)
		}
	}
	if mustSign(t, p.a, p.b, p.rs) == signing {
		t.Error("the removed key signs")
	}
}

// TestRemovedSigningKeyStaysRemoved rolls Redis back to before a key was removed.
func TestRemovedSigningKeyStaysRemoved(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	a, b := start(t, redis.Addr), start(t, redis.Addr)
	rs := create(t, a, "rs", "introspect")
	removed := mustSign(t, a, b, rs)
	redisDo(t, redis.Addr, "SAVE")
	admin(t, a, 204, http.MethodDelete, "/signing-keys/"+removed, nil)
	redis.Kill()
	redis.Restart() // with the saved data
	works(t, a, b)
	c := start(t, redis.Addr)
	for _, s := range []*harness.Server{a, b, c} {
		if keys, err := keysOf(s); err != nil || keys[removed] != nil || len(keys) == 0 {
			t.Errorf("keys %v %v", keys, err)
		}
	}
	mustSign(t, c, a, rs)
}

// TestSigningKeysAreReplaced restarts Redis while no replica runs: nobody knows
// whether a key was removed, so none of them is used.
func TestSigningKeysAreReplaced(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	a := start(t, redis.Addr)
	rs := create(t, a, "rs", "introspect")
	old := mustSign(t, a, a, rs)
	redisDo(t, redis.Addr, "SAVE")
	a.Close()
	redis.Kill()
	redis.Restart()
	b, c := start(t, redis.Addr), start(t, redis.Addr)
	poll.Await(t, recovery, "keys", func() string {
		_, err := keysOf(b)
		if err != nil {
			return err.Error()
		}
		return ""
	})
	admin(t, b, 204, http.MethodPost, "/store/release", map[string]any{"kind": "client", "all": true})
	kid := mustSign(t, b, c, rs)
	if keys, err := keysOf(c); err != nil || keys[old] != nil || keys[kid] == nil || len(keys) != 1 {
		t.Errorf("keys %v %v", keys, err)
	}
	if again := mustSign(t, c, b, rs); again != kid {
		t.Errorf("the replicas sign with %s and %s", kid, again)
	}
}
