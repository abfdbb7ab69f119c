package protocol_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

const (
	keysPath     = "/oauth/jwks"
	signedType   = "application/token-introspection+jwt"
	acceptSigned = "Accept: " + signedType
)

// verified returns the claims of a signed response, verified with the published keys.
func (w *world) verified(t *testing.T, r harness.Response, audience string) jwt.MapClaims {
	t.Helper()
	var set struct {
		Keys []struct{ Kid, Kty, Crv, Alg, Use, X, Y, D string }
	}
	if err := json.Unmarshal([]byte(w.send(t, get(keysPath)).Body), &set); err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(r.Body, claims, func(token *jwt.Token) (any, error) {
		if d := cmp.Diff(map[string]any{"alg": "ES256", "typ": "token-introspection+jwt", "kid": token.Header["kid"]}, token.Header); d != "" {
			t.Errorf("header (-want +got):\n%s", d)
		}
		for _, k := range set.Keys {
			if k.Kid == token.Header["kid"] {
				x, _ := base64.RawURLEncoding.DecodeString(k.X)
				y, _ := base64.RawURLEncoding.DecodeString(k.Y)
				return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
			}
		}
		return nil, jwt.ErrTokenUnverifiable
	}, jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(w.URL), jwt.WithAudience(audience), jwt.WithIssuedAt())
	if err != nil {
		t.Fatalf("%s: %v", r.Body, err)
	}
	return claims
}

func TestSignedIntrospection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token, auth := w.token(t, w.app, ""), basic(w.rs)
	plain := w.send(t, about(token, auth)).JSON(t)
	// signedBy makes the rows of signed responses.
	signedBy := func(name, audience string, c call, want map[string]any) row {
		return row{name: name, call: c, status: 200, header: map[string]string{"Content-Type": signedType, "Vary": "Accept", "Cache-Control": "no-store"}, also: func(t *testing.T, r harness.Response) {
			t.Helper()
			claims := w.verified(t, r, audience)
			if d := cmp.Diff(want, claims["token_introspection"]); d != "" {
				t.Errorf("token_introspection (-want +got):\n%s", d)
			}
			if len(claims) != 4 || claims["iat"] == nil {
				t.Errorf("claims %v, want iss, aud, iat and token_introspection", claims)
			}
		}}
	}
	asJSON := func(name, accept string) row {
		return row{name: name, call: about(token, auth, "Accept: "+accept), status: 200, header: map[string]string{"Content-Type": "application/json", "Vary": "Accept"}}
	}
	nothing := map[string]any{"active": false}
	w.run(t, []row{
		signedBy("introspect_signed", "rs", about(token, auth, acceptSigned), plain),
		signedBy("introspect_signed/inactive", "rs", about("made-up", auth, acceptSigned), nothing),
		signedBy("introspect_signed/not_for_this_resource_server", "picky", about(token, basic(w.client(t, "picky", "introspect", func(s *clients.NewSpec) { s.TokenUses = &[]store.TokenUse{store.UseCustomer} })), acceptSigned), nothing),
		signedBy("introspect_signed/bearer_credentials", "rs", about(token, bearer(w.token(t, w.rs, "introspect")), acceptSigned), plain),
		signedBy("introspect_signed/credentials_in_the_body", "rs", form("/oauth/introspect", "token="+token+credentials(w.rs), acceptSigned), plain),
		signedBy("introspect_no_follow/signed", "rs", form("/oauth/introspect", "follow=true&token="+token, auth, acceptSigned), plain),
		signedBy("introspect_accept/preferred", "rs", about(token, auth, "Accept: application/json;q=0.5, "+signedType), plain),
		signedBy("introspect_accept/equal", "rs", about(token, auth, "Accept: application/json, "+signedType), plain),
		signedBy("introspect_accept/two_headers", "rs", about(token, auth, "Accept: application/json", acceptSigned), plain),
		asJSON("introspect_accept/json_preferred", signedType+";q=0.5, application/json"),
		asJSON("introspect_accept/refused", signedType+";q=0"),
		asJSON("introspect_accept/wildcard", "*/*"),
		asJSON("introspect_accept/unknown_type", "application/jwt, text/html"),
		asJSON("introspect_accept/malformed", signedType+";q=two"),
		{name: "introspect_vary/without_accept", call: about(token, auth), status: 200, header: map[string]string{"Content-Type": "application/json", "Vary": "Accept"}},
		{name: "introspect_signed/errors_are_json", call: about("", auth, acceptSigned), status: 400, code: badRequest, header: map[string]string{"Content-Type": "application/json"}},
		failed("introspect_signed/no_authentication", about(token, acceptSigned)),
		{name: "introspect_signed/client_without_the_right", call: about(token, basic(w.app), acceptSigned), status: 403, code: "access_denied"},
	})
}

func TestPublishedKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := w.send(t, get(metadataPath)).JSON(t)
	if doc["jwks_uri"] != w.URL+keysPath {
		t.Errorf("jwks_uri %v", doc["jwks_uri"])
	}
	w.run(t, []row{
		{name: "published_keys", call: get(keysPath), status: 200, header: map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"}, also: func(t *testing.T, r harness.Response) {
			if strings.Contains(r.Body, `"d"`) || strings.Count(r.Body, `"kid"`) != 1 {
				t.Errorf("keys %s", r.Body)
			}
		}},
		{name: "published_keys/post", call: form(keysPath, ""), status: 405, code: badRequest, header: map[string]string{"Allow": "GET, HEAD"}},
	})
	again := w.send(t, get(keysPath)).Body
	t.Run("published_keys/stay", func(t *testing.T) {
		if w.send(t, get(keysPath)).Body != again {
			t.Error("the keys differ from those of a moment ago")
		}
	})
}

func TestFollow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	org := w.client(t, "org-client", appScope, func(s *clients.NewSpec) { s.OrgID = "h5D8B5gyHtk=" })
	auth, token := basic(w.rs), w.token(t, org, "")
	follow := func(token, more string) call { return form("/oauth/introspect", "token="+token+more, auth) }
	keysOf := func(t *testing.T, r harness.Response) (keys []string) {
		t.Helper()
		for _, k := range r.JSON(t)["void_keys"].([]any) {
			keys = append(keys, k.(string))
		}
		return keys
	}
	none := func(name string, c call) row {
		return row{name: name, call: c, status: 200, also: func(t *testing.T, r harness.Response) {
			if strings.Contains(r.Body, "void_keys") || strings.Contains(r.Body, "feed_position") {
				t.Errorf("%s", r.Body)
			}
		}}
	}
	const one = "follow has one value: true"
	w.run(t, []row{
		{name: "introspect_follow", call: follow(token, "&follow=true"), status: 200, also: func(t *testing.T, r harness.Response) {
			body := r.JSON(t)
			keys := keysOf(t, r)
			if len(keys) != 5 { // all, the client, its secret, its org, the token
				t.Errorf("void keys %q", keys)
			}
			for _, k := range keys {
				if b, err := base64.RawURLEncoding.DecodeString(k); err != nil || len(b) != 8 {
					t.Errorf("void key %q", k)
				}
			}
			if position, _ := body["feed_position"].(string); len(position) != 26 || strings.Contains(position, "-") {
				t.Errorf("feed position %q", position)
			}
			jti := body["jti"].(string)
			told := strings.Replace(r.Body, `"jti":"`+jti, "", 1)
			for _, secret := range []string{jti, org.SecretID} {
				if strings.Contains(told, secret) {
					t.Errorf("the response shows %s: %s", secret, r.Body)
				}
			}
			delete(body, "void_keys")
			if age, ok := body["feed_age_ms"].(float64); !ok || age < 0 || age > 1000 {
				t.Errorf("feed age %v", body["feed_age_ms"])
			}
			delete(body, "feed_position")
			delete(body, "feed_age_ms")
			if d := cmp.Diff(w.send(t, about(token, auth)).JSON(t), body); d != "" {
				t.Errorf("the other members (-without follow +with it):\n%s", d)
			}
		}},
		none("introspect_no_follow", follow(token, "")),
		none("introspect_no_follow/empty", follow(token, "&follow=")),
		none("introspect_no_follow/inactive", follow("made-up", "&follow=true")),
		refused("introspect_follow/false", follow(token, "&follow=false"), one),
		refused("introspect_follow/1", follow(token, "&follow=1"), one),
		refused("introspect_follow/upper_case", follow(token, "&follow=TRUE"), one),
		refused("introspect_follow/twice", follow(token, "&follow=true&follow=true"), "is repeated"),
		failed("introspect_follow/authentication_first", form("/oauth/introspect", "follow=true&token="+token)),
	})
	t.Run("introspect_follow/another_token_shares_what_both_depend_on", func(t *testing.T) {
		mine, others := keysOf(t, w.send(t, follow(token, "&follow=true"))), keysOf(t, w.send(t, follow(w.token(t, org, ""), "&follow=true")))
		shared := slices.DeleteFunc(slices.Clone(mine), func(k string) bool { return !slices.Contains(others, k) })
		if len(shared) != len(mine)-1 { // all but the token itself
			t.Errorf("%q and %q", mine, others)
		}
	})
	t.Run("introspect_follow/the_position_grows", func(t *testing.T) {
		position := func() string {
			return w.send(t, follow(token, "&follow=true")).JSON(t)["feed_position"].(string)
		}
		before := position()
		granted("", call{}).check(t, w.send(t, form("/oauth/revoke", "token="+w.token(t, w.app, ""), basic(w.app))))
		if after := position(); after <= before {
			t.Errorf("%q is not after %q", after, before)
		}
	})
}
