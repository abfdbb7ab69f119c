package protocol_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/credential"
)

const wrong = "wrong-secret-0123456789"

const (
	twoMethods = "more than one client authentication method"
	assertion  = "&client_assertion=eyJhbGciOiJub25lIn0.e30.&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := w.app.ClientSecret
	w.run(t, []row{
		granted("client_secret_basic", ask(grant, basic(w.app))),
		granted("client_secret_post", ask(grant+credentials(w.app))),
		refused("two_methods/basic_and_post", ask(grant+"&client_secret="+secret, basic(w.app)), twoMethods),
		refused("two_methods/basic_and_post_wrong", ask(grant+"&client_secret="+wrong, basic(w.app)), twoMethods),
		refused("two_methods/bearer_and_post", ask(grant+credentials(w.app), bearer("made-up-0123456789")), twoMethods),
		granted("client_id_beside_basic/basic_and_same_client_id", ask(grant+"&client_id=app", basic(w.app))),
		granted("client_id_beside_basic/basic_and_empty_secret", ask(grant+"&client_id=app&client_secret=", basic(w.app))),
		refused("client_ids_differ", ask(grant+"&client_id=other", basic(w.app)), "is not the one in the Authorization header"),
		refused("assertion_beside_basic", ask(grant+assertion, basic(w.app)), twoMethods),
		refused("assertion_beside_post", ask(grant+credentials(w.app)+assertion), twoMethods),
		failed("no_authentication", ask(grant)),
		failed("no_authentication/empty_header", ask(grant, "Authorization: ")),
		failed("no_authentication/empty_header_and_post", ask(grant+credentials(w.app), "Authorization: ")),
		failed("wrong_secret_in_body", ask(grant+"&client_id=app&client_secret="+wrong)),
		failed("wrong_secret/basic", ask(grant, basicOf("app", wrong))),
		failed("wrong_secret/last_character_wrong", ask(grant, basicOf("app", flipped(secret)))),
		failed("wrong_secret/secret_and_more", ask(grant, basicOf("app", secret+"x"))),
		failed("wrong_secret/secret_upper_case", ask(grant, basicOf("app", strings.ToUpper(secret)))),
		failed("unknown_client_looks_alike/unknown_client", ask(grant, basicOf("nobody", wrong))),
		granted("basic_scheme_case/lower", ask(grant, strings.Replace(basic(w.app), "Basic", "basic", 1))),
		granted("basic_scheme_case/upper", ask(grant, strings.Replace(basic(w.app), "Basic", "BASIC", 1))),
		granted("basic_two_spaces", ask(grant, strings.Replace(basic(w.app), "Basic ", "Basic  ", 1))),
		failed("basic_bad_base64", ask(grant, "Authorization: Basic !!!!")),
		failed("basic_bad_base64/none", ask(grant, "Authorization: Basic")),
		failed("basic_without_colon", ask(grant, rawBasic("app"+secret))),
		failed("basic_empty_id", ask(grant, rawBasic(":"+secret))),
		failed("basic_empty_secret", ask(grant, rawBasic("app:"))),
		failed("basic_empty_secret/empty_id_too", ask(grant, rawBasic(":"))),
		failed("empty_client_id", ask(grant+"&client_id=&client_secret="+secret)),
		failed("empty_client_id/absent", ask(grant+"&client_secret="+secret)),
		failed("client_id_alone", ask(grant+"&client_id=app")),
		failed("client_id_alone/empty_secret", ask(grant+"&client_id=app&client_secret=")),
		failed("bearer_is_not_client_authentication/bearer", ask(grant, bearer("made-up-0123456789"))),
		failed("bearer_is_not_client_authentication/bearer_of_a_real_token", ask(grant, bearer(w.token(t, w.app, "")))),
		failed("unsupported_scheme/digest", ask(grant, `Authorization: Digest username="app"`)),
		failed("unsupported_scheme/negotiate", ask(grant, "Authorization: Negotiate YIIZ")),
		failed("unsupported_scheme/no_scheme", ask(grant, "Authorization: "+base64.StdEncoding.EncodeToString([]byte("app:"+secret)))),
		refused("two_authorization_headers/two_headers", ask(grant, basic(w.app), basic(w.app)), "more than one Authorization header"),
		refused("two_authorization_headers/two_headers_one_bearer", ask(grant, bearer("made-up-0123456789"), basic(w.app)), "more than one Authorization header"),
		failed("secret_of_another_client", ask(grant, basicOf("app", w.other.ClientSecret))),
		failed("client_id_is_exact/id_in_upper_case", ask(grant, basicOf("APP", secret))),
		failed("client_id_is_exact/id_in_full_width", ask(grant, basicOf("ａｐｐ", secret))),
		failed("client_id_is_exact/id_with_combining_mark", ask(grant, basicOf("app\u0301", secret))),
		// There are no public clients: every client is created with a secret.
		failed("no_public_clients", ask(grant+"&client_id=app")),
		// Every client may use the only grant; this one has no scopes.
		{name: "client_without_scopes", call: ask(grant, basic(w.client(t, "bare", ""))), status: 400, code: badScope},
		refused("assertion_form/assertion_without_type", ask(grant+"&client_assertion=eyJhbGciOiJub25lIn0.e30."), "must come together"),
		refused("assertion_form/type_without_assertion", ask(grant+"&client_assertion_type=x", basic(w.app)), "must come together"),
		failed("assertion_form/unknown_type", ask(grant+"&client_id=app&client_assertion=eyJhbGciOiJub25lIn0.e30.&client_assertion_type=x")),
		failed("assertion_form/assertions_are_not_supported", ask(grant+assertion)),
	})
}

// flipped returns the secret with another last character.
func flipped(secret string) string {
	last := "A"
	if strings.HasSuffix(secret, last) {
		last = "B"
	}
	return secret[:len(secret)-1] + last
}

// Credentials in the URL are refused with 400, and the log notes them for the
// operator.
func TestCredentialsInURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const exposed = "must not be in the URL"
	body := grant + credentials(w.app)
	secret := w.app.ClientSecret
	w.run(t, []row{
		refused("credentials_in_url/secret_in_query", form("/oauth/token?client_id=app&client_secret="+secret, grant), exposed),
		refused("credentials_in_url/secret_in_query_besides_right_ones", form("/oauth/token?client_secret="+secret, body), exposed),
		refused("credentials_in_url/id_in_query", form("/oauth/token?client_id=app", grant, basic(w.app)), exposed),
		refused("credentials_in_url/encoded_name", form("/oauth/token?client%5Fsecret="+secret, body), exposed),
		refused("credentials_in_url/behind_a_semicolon", form("/oauth/token?a=1;client_secret="+secret, body), exposed),
		refused("credentials_in_url/beside_a_broken_part", form("/oauth/token?%zz&client_secret="+secret, body), exposed),
		refused("credentials_in_url/assertion", form("/oauth/token?client_assertion="+secret, body), exposed),
		refused("credentials_in_url/token_in_query", form("/oauth/introspect?token="+secret, "token=x", basic(w.rs)), exposed),
		refused("credentials_in_url/bearer_in_query", form("/oauth/introspect?access_token="+secret, "token=x"), exposed),
		refused("credentials_in_url/token_in_query_of_revoke", form("/oauth/revoke?token="+secret, "", basic(w.app)), exposed),
	})
	for _, c := range []call{
		get("/oauth/jwks"), get(metadataPath), get("/healthz"), get("/readyz"), get("/openapi.yaml"), get(infoPath), get(identityPath), get(streamPath),
		get("/partners/orgs"), post("/partners/token", "{}", apiType), get("/users/2/api-tokens"), post("/users/2/api-tokens", "{}", apiType),
		{method: "DELETE", target: "/users/2/api-tokens/Ab3dEf7h"}, post("/customers/10001/token", "{}", apiType),
	} {
		name := "credentials_in_url/" + c.method + "_" + c.target
		c.target += "?access_token=" + secret
		w.run(t, []row{refused(name, c, exposed)})
	}
	if !strings.Contains(w.Logs.String(), `"note":"credential exposed in the URL"`) {
		t.Error("the log has no note of the exposed secret")
	}
}

// An unknown client, a wrong or ended secret, a deactivated client, a wrong
// method and a wrong address get the same response; only date and request id
// may differ. Time is not measured here: each compares one hash, a decoy if
// there is none.
func TestFailuresLookAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	by := audit.Actor{Name: "test"}
	off := w.client(t, "off", appScope)
	if _, err := w.Clients().Deactivate(t.Context(), by, off.ClientID); err != nil {
		t.Fatal(err)
	}
	pinnedBasic := w.client(t, "pinned-basic", appScope, methods(auth.MethodBasic))
	pinnedPost := w.client(t, "pinned-post", appScope, methods(auth.MethodPost))
	elsewhere := w.client(t, "elsewhere", appScope, func(s *clients.NewSpec) { s.SourceIPs = &[]string{"192.0.2.0/24", "2001:db8::/32"} })
	here := w.client(t, "here", appScope, func(s *clients.NewSpec) { s.SourceIPs = &[]string{"192.0.2.0/24", "127.0.0.0/8"} })
	mapped := w.client(t, "mapped", appScope, func(s *clients.NewSpec) { s.SourceIPs = &[]string{"::ffff:127.0.0.1"} })
	first := w.client(t, "rotated", appScope)
	w.rotate(t, first, 0)

	want := w.send(t, ask(grant, basicOf("nobody", w.app.ClientSecret)))
	failed("", call{}).check(t, want)
	for _, row := range []row{
		{name: "unknown_client_looks_alike/wrong_secret", call: ask(grant, basicOf("app", wrong))},
		{name: "unknown_client_looks_alike/unknown_client_generated_secret", call: ask(grant, basicOf("nobody2", w.other.ClientSecret))},
		{name: "unknown_client_looks_alike/unknown_client_post", call: ask(grant + "&client_id=nobody&client_secret=" + wrong)},
		{name: "pinned_method/pinned_to_basic", call: ask(grant + credentials(pinnedBasic))},
		{name: "pinned_method/pinned_to_post", call: ask(grant, basic(pinnedPost))},
		{name: "deactivated_client", call: ask(grant, basic(off))},
		{name: "deactivated_client/deactivated_wrong_secret", call: ask(grant, basicOf("off", wrong))},
		{name: "ended_secret/ended_by_rotation", call: ask(grant, basic(first))},
		{name: "client_addresses/outside_its_addresses", call: ask(grant, basic(elsewhere))},
		{name: "secret_of_another_client", call: ask(grant, basicOf("app", w.other.ClientSecret))},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := w.send(t, row.call)
			if got.Status != want.Status || got.Body != want.Body || !equal(comparable(got.Header), comparable(want.Header)) {
				t.Errorf("differs from an unknown client:\n%d %s %v", got.Status, got.Body, got.Header)
			}
		})
	}
	w.run(t, []row{
		granted("pinned_method/pinned_to_basic_by_basic", ask(grant, basic(pinnedBasic))),
		granted("pinned_method/pinned_to_post_by_post", ask(grant+credentials(pinnedPost))),
		granted("pinned_method/pinned_to_post_by_json", post("/oauth/token",
			`{"grant_type":"client_credentials","client_id":"pinned-post","client_secret":"`+pinnedPost.ClientSecret+`"}`, jsonType)),
		granted("client_addresses/inside_its_addresses", ask(grant, basic(here))),
		granted("client_addresses/inside_a_mapped_address", ask(grant, basic(mapped))),
	})
	t.Run("deactivated_client/reactivated", func(t *testing.T) {
		if _, err := w.Clients().Reactivate(t.Context(), by, off.ClientID); err != nil {
			t.Fatal(err)
		}
		granted("", call{}).check(t, w.send(t, ask(grant, basic(off))))
	})
}

func methods(m ...string) func(*clients.NewSpec) {
	return func(s *clients.NewSpec) { s.AuthMethods = &m }
}

func comparable(h http.Header) http.Header {
	h = maps.Clone(h)
	h.Del("Date")
	h.Del("X-Request-Id")
	return h
}

func TestRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.app
	renewed := w.rotate(t, old, time.Hour)
	w.run(t, []row{
		granted("second_secret", ask(grant, basic(renewed))),
		granted("old_secret_in_grace", ask(grant, basic(old))),
	})
	log := w.Logs.String()
	if n := strings.Count(log, `"old_secret":true`); n != 1 || !strings.Contains(log, `"secret_id":"`+old.SecretID+`"`) {
		t.Errorf("%d events of the old secret with its id, want 1", n)
	}
	w.Clock.Add(time.Hour + time.Second)
	w.run(t, []row{
		failed("ended_secret/old_secret_after_grace", ask(grant, basic(old))),
		granted("second_secret/after_grace", ask(grant, basic(renewed))),
	})
}

// How the parts of HTTP Basic are decoded (RFC 6749 §2.3.1, appendix B). Client
// ids of grantd hold no colon, so no row authenticates with one.
func TestBasicEncoding(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const special, spaced, colons = "p%25+q&r s=é:ü/0123", "with space 0123", "a:b:c:0123456789"
	w.keep(special, spaced, colons)
	imported := func(id, secret string, hash func(*testing.T, string) string) clients.Created {
		return w.client(t, id, appScope, func(s *clients.NewSpec) { s.SecretHash = hash(t, secret) })
	}
	imported("special", special, argon2Of)
	imported("spaced", spaced, bcryptOf)
	imported("colons", colons, bcryptOf)
	imported("plain", "plain-0123456789._~*", bcryptOf)
	imported("plus", "a+b-0123456789", bcryptOf)
	imported("percent", "a%b-0123456789", bcryptOf)
	a := w.app.ClientSecret
	w.run(t, []row{
		granted("basic_is_form_decoded/id_is_decoded", ask(grant, rawBasic("%61pp:"+a))),
		granted("basic_is_form_decoded/secret_is_decoded", ask(grant, rawBasic("app:%67"+a[1:]))),
		failed("basic_is_form_decoded/colon_in_id", ask(grant, basicOf("a:b", a))),
		failed("basic_is_form_decoded/decoded_once_only", ask(grant, rawBasic("%2561pp:"+a))),
		granted("special_characters/form_encoded", ask(grant, basicOf("special", special))),
		granted("special_characters/all_encoded", ask(grant, rawBasic("special:"+percent(special)))),
		granted("special_characters/in_the_body", ask(grant+"&client_id=special&client_secret="+url.QueryEscape(special))),
		granted("special_characters/in_json", post("/oauth/token", `{"grant_type":"client_credentials","client_id":"special","client_secret":"`+special+`"}`, jsonType)),
		granted("raw_basic/raw_where_decoding_changes_nothing", ask(grant, rawBasic("plain:plain-0123456789._~*"))),
		failed("raw_basic/raw_plus_becomes_a_space", ask(grant, rawBasic("plus:a+b-0123456789"))),
		failed("raw_basic/raw_percent_cannot_be_decoded", ask(grant, rawBasic("percent:a%b-0123456789"))),
		granted("basic_plus_is_space/plus_is_a_space", ask(grant, rawBasic("spaced:with+space+0123"))),
		granted("basic_plus_is_space/percent_20_is_a_space", ask(grant, rawBasic("spaced:with%20space%200123"))),
		granted("basic_plus_is_space/raw_space", ask(grant, rawBasic("spaced:"+spaced))),
		failed("basic_bad_percent/in_secret", ask(grant, rawBasic("app:%zz"))),
		failed("basic_bad_percent/in_id", ask(grant, rawBasic("%zz:"+a))),
		granted("basic_first_colon/first_colon_separates", ask(grant, rawBasic("colons:"+colons))),
		granted("basic_first_colon/encoded_colons", ask(grant, basicOf("colons", colons))),
		failed("basic_strict_base64/no_padding", ask(grant, strings.TrimRight(padded("app", a), "="))),
		failed("basic_strict_base64/url_safe_alphabet", ask(grant, "Authorization: Basic "+base64.URLEncoding.EncodeToString([]byte("special:\xfb\xff\xbe")))),
		failed("oversized_credentials/id_of_4_kb", ask(grant, basicOf(strings.Repeat("a", 4096), a))),
		failed("oversized_credentials/secret_of_60_kb", ask(grant+"&client_id=special&client_secret="+strings.Repeat("s", 60<<10))),
		failed("oversized_credentials/secret_of_5_kb_basic", ask(grant, basicOf("special", strings.Repeat("s", 5<<10)))),
		{name: "oversized_credentials/secret_of_64_kb", call: ask(grant + "&client_id=special&client_secret=" + strings.Repeat("s", 64<<10)), status: 413, code: badRequest},
	})
	t.Run("oversized_credentials/no_look_up", func(t *testing.T) {
		before := w.store.Calls("GetClient")
		w.send(t, ask(grant, basicOf("fresh", strings.Repeat("s", 2000))))
		w.send(t, ask(grant, basicOf(strings.Repeat("f", 129), wrong)))
		if w.store.Calls("GetClient") != before {
			t.Error("the client was looked up")
		}
	})
}

// padded returns a Basic header whose base64 needs padding.
func padded(id, secret string) string {
	for len(id+":"+secret)%3 == 0 {
		secret = "%" + "67" + secret[1:] // "g", encoded: the same secret
	}
	return rawBasic(id + ":" + secret)
}

func percent(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteByte('%')
		b.WriteByte("0123456789ABCDEF"[c>>4])
		b.WriteByte("0123456789abcdef"[c&15])
	}
	return b.String()
}

// Clients may be imported from other servers with the hash of their secret.
func TestImportedHashes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, kind := range []struct {
		name string
		hash func(*testing.T, string) string
	}{
		{"bcrypt", bcryptOf},
		{"bcrypt_2y", func(t *testing.T, s string) string { return strings.Replace(bcryptOf(t, s), "$2a$", "$2y$", 1) }},
		{"pbkdf2_sha256", pbkdf2Of},
		{"pbkdf2_sha512", pbkdf2SHA512Of},
		{"argon2id", argon2Of},
	} {
		const secret = "imported %+&é 0123456789"
		w.keep(secret)
		id := strings.ReplaceAll(kind.name, "_", "-")
		hash := kind.hash(t, secret)
		c := w.client(t, id, appScope, func(s *clients.NewSpec) { s.SecretHash = hash })
		if c.ClientSecret != "" {
			t.Errorf("%s: the imported client got a new secret", kind.name)
		}
		w.run(t, []row{
			granted("special_characters/"+kind.name+"_basic", ask(grant, basicOf(id, secret))),
			granted("special_characters/"+kind.name+"_post_remembered", ask(grant+"&client_id="+id+"&client_secret="+url.QueryEscape(secret))),
			failed("wrong_secret/"+kind.name+"_wrong", ask(grant, basicOf(id, secret+"!"))),
		})
	}
	for name, hash := range map[string]string{
		"plain_text":         wrong,
		"sha256_label":       "sha256$" + strings.Repeat("A", 43),
		"md5_crypt":          "$1$abcdefgh$G/zpkrGuQEjYFrCrRnLYI0",
		"bcrypt_cost_13":     "$2a$13$" + strings.Repeat("a", 53),
		"bcrypt_cut":         "$2a$10$" + strings.Repeat("a", 20),
		"bcrypt_too_cheap":   "$2a$09$" + strings.Repeat("a", 53),
		"argon2id_cheap_mem": "$argon2id$v=19$m=19455,t=2,p=1$" + b64(salt) + "$" + b64(salt),
		"argon2id_cheap_t":   "$argon2id$v=19$m=19456,t=1,p=1$" + b64(salt) + "$" + b64(salt),
		"pbkdf2_too_cheap":   "$pbkdf2-sha256$i=24999$" + b64(salt) + "$" + b64(salt),
		"pbkdf2_too_dear":    "$pbkdf2-sha256$i=1000001$" + b64(salt) + "$" + b64(salt),
		"argon2i":            "$argon2i$v=19$m=19456,t=2,p=1$" + b64(salt) + "$" + b64(salt),
		"argon2id_memory":    "$argon2id$v=19$m=65537,t=2,p=1$" + b64(salt) + "$" + b64(salt),
		"argon2id_time":      "$argon2id$v=19$m=19456,t=5,p=1$" + b64(salt) + "$" + b64(salt),
		"argon2id_threads":   "$argon2id$v=19$m=19456,t=2,p=5$" + b64(salt) + "$" + b64(salt),
		"argon2id_more":      "$argon2id$v=19$m=19456,t=2,p=1,x=9$" + b64(salt) + "$" + b64(salt),
		"argon2id_short_out": "$argon2id$v=19$m=19456,t=2,p=1$" + b64(salt) + "$" + b64(salt[:8]),
	} {
		t.Run("oversized_credentials/hash_"+name, func(t *testing.T) {
			r := w.AdminDo(t, "POST", "/clients", map[string]string{"client_id": "x", "scope": appScope, "secret_hash": hash})
			if r.Status != 400 || r.JSON(t)["field"] != "secret_hash" || strings.Contains(r.Body, hash) {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
	}
}

// Credentials of the other environment never work, and the log notes them.
func TestOtherEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _, _ := credential.NewSecret("live")
	renamed := strings.Replace(w.app.ClientSecret, "gs_sandbox_", "gs_live_", 1)
	w.keep(live, renamed)
	w.run(t, []row{
		failed("wrong_secret/secret_of_live", ask(grant, basicOf("app", live))),
		failed("wrong_secret/own_secret_renamed_to_live", ask(grant, basicOf("app", renamed))),
	})
	if n := strings.Count(w.Logs.String(), `"note":"secret of the other environment presented"`); n != 2 {
		t.Errorf("%d notes in the log, want 2", n)
	}
	t.Run("other_environment/token_of_live", func(t *testing.T) {
		token := w.token(t, w.app, "")
		if w.introspect(t, w.rs, strings.Replace(token, "gt_sandbox_", "gt_live_", 1)) {
			t.Error("active")
		}
		if !strings.Contains(w.Logs.String(), `"note":"token of the other environment presented"`) {
			t.Error("no note in the log")
		}
	})
	t.Run("other_environment/token_of_another_server", func(t *testing.T) {
		elsewhere := newWorld(t)
		token := elsewhere.token(t, elsewhere.app, "")
		w.keep(token)
		if w.introspect(t, w.rs, token) {
			t.Error("active")
		}
	})
	t.Run("secret_of_another_client/same_id_on_another_server", func(t *testing.T) {
		elsewhere := newWorld(t)
		failed("", call{}).check(t, elsewhere.send(t, ask(grant, basic(w.app))))
	})
}

// The result of a slow hash is remembered only as long as the secret lives.
func TestImportedSecretEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const secret = "imported-0123456789"
	c := w.client(t, "imported", appScope, func(s *clients.NewSpec) { s.SecretHash = bcryptOf(t, secret) })
	c.ClientSecret = secret
	granted("", call{}).check(t, w.send(t, ask(grant, basic(c))))
	w.rotate(t, c, 0)
	t.Run("ended_secret/imported_secret_after_rotation", func(t *testing.T) {
		failed("", call{}).check(t, w.send(t, ask(grant, basic(c))))
	})
}
