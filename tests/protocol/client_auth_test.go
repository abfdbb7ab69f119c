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
		granted("A01_basic", ask(grant, basic(w.app))),
		granted("A02_post", ask(grant+credentials(w.app))),
		refused("A03_basic_and_post", ask(grant+"&client_secret="+secret, basic(w.app)), twoMethods),
		refused("A03_basic_and_post_wrong", ask(grant+"&client_secret="+wrong, basic(w.app)), twoMethods),
		refused("A03_bearer_and_post", ask(grant+credentials(w.app), bearer("made-up-0123456789")), twoMethods),
		granted("A04_basic_and_same_client_id", ask(grant+"&client_id=app", basic(w.app))),
		granted("A04_basic_and_empty_secret", ask(grant+"&client_id=app&client_secret=", basic(w.app))),
		refused("A05_ids_differ", ask(grant+"&client_id=other", basic(w.app)), "is not the one in the Authorization header"),
		refused("A06_basic_and_assertion", ask(grant+assertion, basic(w.app)), twoMethods),
		refused("A07_post_and_assertion", ask(grant+credentials(w.app)+assertion), twoMethods),
		failed("A08_none", ask(grant)),
		failed("A08_empty_header", ask(grant, "Authorization: ")),
		failed("A09_post_wrong_secret", ask(grant+"&client_id=app&client_secret="+wrong)),
		failed("A10_basic_wrong_secret", ask(grant, basicOf("app", wrong))),
		failed("A10_last_character_wrong", ask(grant, basicOf("app", flipped(secret)))),
		failed("A10_secret_and_more", ask(grant, basicOf("app", secret+"x"))),
		failed("A10_secret_upper_case", ask(grant, basicOf("app", strings.ToUpper(secret)))),
		failed("A11_unknown_client", ask(grant, basicOf("nobody", wrong))),
		granted("A12_scheme_lower_case", ask(grant, strings.Replace(basic(w.app), "Basic", "basic", 1))),
		granted("A12_scheme_upper_case", ask(grant, strings.Replace(basic(w.app), "Basic", "BASIC", 1))),
		granted("A13_two_spaces", ask(grant, strings.Replace(basic(w.app), "Basic ", "Basic  ", 1))),
		failed("A14_bad_base64", ask(grant, "Authorization: Basic !!!!")),
		failed("A14_no_base64", ask(grant, "Authorization: Basic")),
		failed("A15_no_colon", ask(grant, rawBasic("app"+secret))),
		failed("A16_empty_id", ask(grant, rawBasic(":"+secret))),
		failed("A17_empty_secret", ask(grant, rawBasic("app:"))),
		failed("A17_empty_both", ask(grant, rawBasic(":"))),
		failed("A18_empty_id_in_body", ask(grant+"&client_id=&client_secret="+secret)),
		failed("A18_no_id_in_body", ask(grant+"&client_secret="+secret)),
		failed("A19_id_only", ask(grant+"&client_id=app")),
		failed("A19_id_and_empty_secret", ask(grant+"&client_id=app&client_secret=")),
		failed("A28_bearer", ask(grant, bearer("made-up-0123456789"))),
		failed("A28_bearer_of_a_real_token", ask(grant, bearer(w.token(t, w.app, "")))),
		failed("A29_digest", ask(grant, `Authorization: Digest username="app"`)),
		failed("A29_negotiate", ask(grant, "Authorization: Negotiate YIIZ")),
		failed("A29_no_scheme", ask(grant, "Authorization: "+base64.StdEncoding.EncodeToString([]byte("app:"+secret)))),
		refused("A30_two_headers", ask(grant, basic(w.app), basic(w.app)), "more than one Authorization header"),
		refused("A30_two_headers_one_bearer", ask(grant, bearer("made-up-0123456789"), basic(w.app)), "more than one Authorization header"),
		failed("A36_secret_of_another_client", ask(grant, basicOf("app", w.other.ClientSecret))),
		failed("A37_id_in_upper_case", ask(grant, basicOf("APP", secret))),
		failed("A37_id_in_full_width", ask(grant, basicOf("ａｐｐ", secret))),
		failed("A37_id_with_combining_mark", ask(grant, basicOf("app\u0301", secret))),
		// There are no public clients: each has a secret from the start.
		failed("A41_public_client", ask(grant+"&client_id=app")),
		// The only grant is every client's; what a client may lack is scopes.
		{name: "A42_client_without_any_right", call: ask(grant, basic(w.client(t, "bare", ""))), status: 400, code: badScope},
		refused("A48_assertion_without_type", ask(grant+"&client_assertion=eyJhbGciOiJub25lIn0.e30."), "must come together"),
		refused("A48_type_without_assertion", ask(grant+"&client_assertion_type=x", basic(w.app)), "must come together"),
		failed("A48_unknown_type", ask(grant+"&client_id=app&client_assertion=eyJhbGciOiJub25lIn0.e30.&client_assertion_type=x")),
		failed("A48_assertions_are_not_supported", ask(grant+assertion)),
	})
}

// flipped is the secret with another last character.
func flipped(secret string) string {
	last := "A"
	if strings.HasSuffix(secret, last) {
		last = "B"
	}
	return secret[:len(secret)-1] + last
}

// Credentials in the URL: 400, and the operator is told (contract §3).
func TestCredentialsInURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const exposed = "must not stand in the URL"
	body := grant + credentials(w.app)
	secret := w.app.ClientSecret
	w.run(t, []row{
		refused("A20_secret_in_query", form("/oauth/token?client_id=app&client_secret="+secret, grant), exposed),
		refused("A20_secret_in_query_besides_right_ones", form("/oauth/token?client_secret="+secret, body), exposed),
		refused("A20_id_in_query", form("/oauth/token?client_id=app", grant, basic(w.app)), exposed),
		refused("A20_encoded_name", form("/oauth/token?client%5Fsecret="+secret, body), exposed),
		refused("A20_behind_a_semicolon", form("/oauth/token?a=1;client_secret="+secret, body), exposed),
		refused("A20_beside_a_broken_part", form("/oauth/token?%zz&client_secret="+secret, body), exposed),
		refused("A20_assertion", form("/oauth/token?client_assertion="+secret, body), exposed),
		refused("A20_token_in_query", form("/oauth/introspect?token="+secret, "token=x", basic(w.rs)), exposed),
		refused("A20_bearer_in_query", form("/oauth/introspect?access_token="+secret, "token=x"), exposed),
		refused("A20_token_in_query_of_revoke", form("/oauth/revoke?token="+secret, "", basic(w.app)), exposed),
	})
	if !strings.Contains(w.Logs.String(), `"note":"credential exposed in the URL"`) {
		t.Error("nobody is told of the exposed secret")
	}
}

// One answer for unknown, wrong, ended, deactivated, pinned to another method
// and outside its addresses: nothing but date and request id may differ. Time
// is not measured: each compares one hash, a decoy where there is none.
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
		{name: "A11_wrong_secret", call: ask(grant, basicOf("app", wrong))},
		{name: "A11_unknown_client_generated_secret", call: ask(grant, basicOf("nobody2", w.other.ClientSecret))},
		{name: "A11_unknown_client_post", call: ask(grant + "&client_id=nobody&client_secret=" + wrong)},
		{name: "A31_pinned_to_basic", call: ask(grant + credentials(pinnedBasic))},
		{name: "A31_pinned_to_post", call: ask(grant, basic(pinnedPost))},
		{name: "A32_deactivated", call: ask(grant, basic(off))},
		{name: "A32_deactivated_wrong_secret", call: ask(grant, basicOf("off", wrong))},
		{name: "A35_ended_by_rotation", call: ask(grant, basic(first))},
		{name: "A50_outside_its_addresses", call: ask(grant, basic(elsewhere))},
		{name: "A36_secret_of_another_client", call: ask(grant, basicOf("app", w.other.ClientSecret))},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := w.send(t, row.call)
			if got.Status != want.Status || got.Body != want.Body || !equal(comparable(got.Header), comparable(want.Header)) {
				t.Errorf("differs from an unknown client:\n%d %s %v", got.Status, got.Body, got.Header)
			}
		})
	}
	w.run(t, []row{
		granted("A31_pinned_to_basic_by_basic", ask(grant, basic(pinnedBasic))),
		granted("A31_pinned_to_post_by_post", ask(grant+credentials(pinnedPost))),
		granted("A31_pinned_to_post_by_json", post("/oauth/token",
			`{"grant_type":"client_credentials","client_id":"pinned-post","client_secret":"`+pinnedPost.ClientSecret+`"}`, jsonType)),
		granted("A50_inside_its_addresses", ask(grant, basic(here))),
		granted("A50_inside_a_mapped_address", ask(grant, basic(mapped))),
	})
	t.Run("A32_reactivated", func(t *testing.T) {
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
		granted("A33_second_active_secret", ask(grant, basic(renewed))),
		granted("A34_old_secret_inside_grace", ask(grant, basic(old))),
	})
	log := w.Logs.String()
	if n := strings.Count(log, `"old_secret":true`); n != 1 || !strings.Contains(log, `"secret_id":"`+old.SecretID+`"`) {
		t.Errorf("A34: %d events of the old secret", n)
	}
	w.Clock.Add(time.Hour + time.Second)
	w.run(t, []row{
		failed("A35_old_secret_after_grace", ask(grant, basic(old))),
		granted("A33_new_secret_after_grace", ask(grant, basic(renewed))),
	})
}

// How the parts of HTTP Basic are read (RFC 6749 §2.3.1, appendix B). Client
// ids of grantd hold no colon, so A21 is about the decoding alone.
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
		granted("A21_id_is_decoded", ask(grant, rawBasic("%61pp:"+a))),
		granted("A21_secret_is_decoded", ask(grant, rawBasic("app:%67"+a[1:]))),
		failed("A21_colon_in_id", ask(grant, basicOf("a:b", a))),
		failed("A21_decoded_once_only", ask(grant, rawBasic("%2561pp:"+a))),
		granted("A22_form_encoded", ask(grant, basicOf("special", special))),
		granted("A22_all_encoded", ask(grant, rawBasic("special:"+percent(special)))),
		granted("A22_in_the_body", ask(grant+"&client_id=special&client_secret="+url.QueryEscape(special))),
		granted("A22_in_json", post("/oauth/token", `{"grant_type":"client_credentials","client_id":"special","client_secret":"`+special+`"}`, jsonType)),
		granted("A23_raw_where_decoding_changes_nothing", ask(grant, rawBasic("plain:plain-0123456789._~*"))),
		failed("A23_raw_plus_becomes_a_space", ask(grant, rawBasic("plus:a+b-0123456789"))),
		failed("A23_raw_percent_cannot_be_decoded", ask(grant, rawBasic("percent:a%b-0123456789"))),
		granted("A24_plus_is_a_space", ask(grant, rawBasic("spaced:with+space+0123"))),
		granted("A24_percent_20_is_a_space", ask(grant, rawBasic("spaced:with%20space%200123"))),
		granted("A24_raw_space", ask(grant, rawBasic("spaced:"+spaced))),
		failed("A25_bad_percent_in_secret", ask(grant, rawBasic("app:%zz"))),
		failed("A25_bad_percent_in_id", ask(grant, rawBasic("%zz:"+a))),
		granted("A26_first_colon_separates", ask(grant, rawBasic("colons:"+colons))),
		granted("A26_encoded_colons", ask(grant, basicOf("colons", colons))),
		failed("A27_no_padding", ask(grant, strings.TrimRight(padded("app", a), "="))),
		failed("A27_url_safe_alphabet", ask(grant, "Authorization: Basic "+base64.URLEncoding.EncodeToString([]byte("special:\xfb\xff\xbe")))),
		failed("A38_id_of_4_kb", ask(grant, basicOf(strings.Repeat("a", 4096), a))),
		failed("A38_secret_of_60_kb", ask(grant+"&client_id=special&client_secret="+strings.Repeat("s", 60<<10))),
		failed("A38_secret_of_20_kb_basic", ask(grant, basicOf("special", strings.Repeat("s", 12<<10)))),
		{name: "A38_secret_of_64_kb", call: ask(grant + "&client_id=special&client_secret=" + strings.Repeat("s", 64<<10)), status: 413, code: badRequest},
	})
	t.Run("A38_no_look_up", func(t *testing.T) {
		before := w.store.Calls("GetClient")
		w.send(t, ask(grant, basicOf("fresh", strings.Repeat("s", 2000))))
		w.send(t, ask(grant, basicOf(strings.Repeat("f", 129), wrong)))
		if w.store.Calls("GetClient") != before {
			t.Error("the client was looked up")
		}
	})
}

// padded is a Basic header that needs padding.
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

// Secrets that come from elsewhere as hashes (contract §2).
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
			t.Errorf("%s: an imported client got a secret", kind.name)
		}
		w.run(t, []row{
			granted("A22_"+kind.name+"_basic", ask(grant, basicOf(id, secret))),
			granted("A22_"+kind.name+"_post_remembered", ask(grant+"&client_id="+id+"&client_secret="+url.QueryEscape(secret))),
			failed("A10_"+kind.name+"_wrong", ask(grant, basicOf(id, secret+"!"))),
		})
	}
	for name, hash := range map[string]string{
		"plain_text":         wrong,
		"sha256_label":       "sha256$" + strings.Repeat("A", 43),
		"md5_crypt":          "$1$abcdefgh$G/zpkrGuQEjYFrCrRnLYI0",
		"bcrypt_cost_13":     "$2a$13$" + strings.Repeat("a", 53),
		"bcrypt_cut":         "$2a$10$" + strings.Repeat("a", 20),
		"pbkdf2_too_cheap":   "$pbkdf2-sha256$i=99999$" + b64(salt) + "$" + b64(salt),
		"pbkdf2_too_dear":    "$pbkdf2-sha256$i=1000001$" + b64(salt) + "$" + b64(salt),
		"argon2i":            "$argon2i$v=19$m=64,t=1,p=1$" + b64(salt) + "$" + b64(salt),
		"argon2id_memory":    "$argon2id$v=19$m=65537,t=1,p=1$" + b64(salt) + "$" + b64(salt),
		"argon2id_time":      "$argon2id$v=19$m=64,t=5,p=1$" + b64(salt) + "$" + b64(salt),
		"argon2id_threads":   "$argon2id$v=19$m=64,t=1,p=5$" + b64(salt) + "$" + b64(salt),
		"argon2id_more":      "$argon2id$v=19$m=64,t=1,p=1,x=9$" + b64(salt) + "$" + b64(salt),
		"argon2id_short_out": "$argon2id$v=19$m=64,t=1,p=1$" + b64(salt) + "$" + b64(salt[:8]),
	} {
		t.Run("A38_refused_"+name, func(t *testing.T) {
			r := w.AdminDo(t, "POST", "/clients", map[string]string{"client_id": "x", "scope": appScope, "secret_hash": hash})
			if r.Status != 400 || r.JSON(t)["field"] != "secret_hash" || strings.Contains(r.Body, hash) {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
	}
}

// Credentials of the other environment never work, and an operator sees it.
func TestOtherEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _, _ := credential.NewSecret("live")
	renamed := strings.Replace(w.app.ClientSecret, "gs_sandbox_", "gs_live_", 1)
	w.keep(live, renamed)
	w.run(t, []row{
		failed("A10_secret_of_live", ask(grant, basicOf("app", live))),
		failed("A10_own_secret_renamed_to_live", ask(grant, basicOf("app", renamed))),
	})
	if n := strings.Count(w.Logs.String(), `"note":"secret of the other environment presented"`); n != 2 {
		t.Errorf("%d notes in the log, want 2", n)
	}
	t.Run("I09_token_of_live", func(t *testing.T) {
		token := w.token(t, w.app, "")
		if w.introspect(t, w.rs, strings.Replace(token, "gt_sandbox_", "gt_live_", 1)) {
			t.Error("active")
		}
		if !strings.Contains(w.Logs.String(), `"note":"token of the other environment presented"`) {
			t.Error("no note in the log")
		}
	})
	t.Run("I09_token_of_another_server", func(t *testing.T) {
		elsewhere := newWorld(t)
		token := elsewhere.token(t, elsewhere.app, "")
		w.keep(token)
		if w.introspect(t, w.rs, token) {
			t.Error("active")
		}
	})
	t.Run("A36_secret_of_the_same_client_elsewhere", func(t *testing.T) {
		elsewhere := newWorld(t)
		failed("", call{}).check(t, elsewhere.send(t, ask(grant, basic(w.app))))
	})
}

// One answer, whatever becomes of the record: what was remembered of a slow
// hash does not outlive it.
func TestImportedSecretEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const secret = "imported-0123456789"
	c := w.client(t, "imported", appScope, func(s *clients.NewSpec) { s.SecretHash = bcryptOf(t, secret) })
	c.ClientSecret = secret
	granted("", call{}).check(t, w.send(t, ask(grant, basic(c))))
	w.rotate(t, c, 0)
	t.Run("A35_imported_secret_after_rotation", func(t *testing.T) {
		failed("", call{}).check(t, w.send(t, ask(grant, basic(c))))
	})
}
