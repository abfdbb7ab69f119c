package protocol_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

func TestCustomerTokens(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	auth := bearer(b.token)
	b.run(t, []row{
		{name: "code_needed", call: askToken(peter, `{"scope":"cards cards-write"}`, auth), status: 403, code: "verification_required",
			pointer: "/data/attributes/scope", needs: "cards-write", header: map[string]string{"WWW-Authenticate": ""}},
		{name: "code_needed/every_such_scope_is_named", call: askToken(peter, `{"scope":"payments-write cards cards-sensitive cards-write"}`, auth), status: 403,
			code: "verification_required", pointer: "/data/attributes/scope", needs: "payments-write cards-sensitive cards-write"},
		{name: "code_needed/for_one_second_too", call: askToken(peter, `{"scope":"cards-write","expiresIn":1}`, auth), status: 403, code: "verification_required",
			pointer: "/data/attributes/scope", needs: "cards-write"},
		made("code_not_needed", askToken(peter, `{"scope":"cards"}`, auth)),
		made("code_not_needed/the_right_to_make_tokens_is_not_sensitive", askToken(peter, `{"scope":"cards customer-token-write"}`, auth)),
		made("code_not_needed/accept_of_axios", askToken(peter, `{"scope":"cards"}`, auth, "Accept: application/json, text/plain, */*")),
		made("code_not_needed/accept_of_curl", askToken(peter, `{"scope":"cards"}`, auth, "Accept: */*")),
		made("code_not_needed/accept_of_json_api", askToken(peter, `{"scope":"cards"}`, auth, "Accept: application/vnd.api+json")),
		made("code_not_needed/charset", post("/customers/10001/token", `{"data":{"type":"customerToken","attributes":{"scope":"cards"}}}`, apiType+"; charset=utf-8", auth)),
		made("code_not_needed/absent_and_null_are_the_same", askToken(peter, `{"scope":"cards","expiresIn":null,"resources":null,"upgradableScope":null,"verificationToken":null,"verificationCode":null}`, auth)),
	})
	t.Run("code_not_needed/response", func(t *testing.T) {
		r := b.send(t, askToken(peter, `{"scope":"cards accounts"}`, auth))
		if want := fmt.Sprintf(`{"data":{"type":"customerBearerToken","attributes":{"token":%q,"expiresIn":86400}}}`, attribute(t, r, "token")); r.Body != want {
			t.Errorf("%s, want %s", r.Body, want)
		}
		got := b.shown(t, b.api, attribute(t, r, "token"))
		want := map[string]any{
			"active": true, "scope": "cards accounts", "client_id": "backend", "token_type": "Bearer", "sub": "customer:" + peter, "token_use": "customer",
			"org_id": acme, "customer_id": peter, "iss": b.URL,
		}
		for name, v := range want {
			if got[name] != v {
				t.Errorf("%s is %v, want %v", name, got[name], v)
			}
		}
		for _, name := range []string{"auth_time", "amr", "resources", "aud"} {
			if got[name] != nil {
				t.Errorf("%s is %v", name, got[name])
			}
		}
		if life := got["exp"].(float64) - got["iat"].(float64); life != 86400 {
			t.Errorf("the token lives for %v s", life)
		}
	})
	t.Run("code_not_needed/hidden_from_servers_of_client_tokens", func(t *testing.T) {
		if b.introspect(t, b.rs, b.issue(t, b.token, peter, `{"scope":"cards"}`)) {
			t.Error("active for a resource server that accepts only client tokens")
		}
	})
	t.Run("code_right", func(t *testing.T) {
		v := b.verify(t, b.token, peter)
		use := askToken(peter, verified("cards cards-write", v), auth)
		r := b.send(t, use)
		made("", use).check(t, r)
		got := b.shown(t, b.api, attribute(t, r, "token"))
		if got["scope"] != "cards cards-write" || !equal(got["amr"], []any{"otp"}) || got["auth_time"] != got["iat"] {
			t.Errorf("introspection says %v", got)
		}
		for range 2 {
			unverified("code_once", use).check(t, b.send(t, use))
		}
		unverified("code_once/for_less", use).check(t, b.send(t, askToken(peter, verified("cards", v), auth)))
	})
	t.Run("code_right/not_needed", func(t *testing.T) {
		v := b.verify(t, b.token, peter)
		if got := b.shown(t, b.api, b.issue(t, b.token, peter, verified("cards", v))); !equal(got["amr"], []any{"otp"}) {
			t.Errorf("introspection says %v", got)
		}
	})
	t.Run("code_right/belongs_to_its_verification", func(t *testing.T) {
		one, two := b.verify(t, b.token, peter), b.verify(t, b.token, peter)
		if one.code != two.code { // otherwise the code is right
			unverified("", call{}).check(t, b.send(t, askToken(peter, verified("cards-write", verification{one.token, two.code}), auth)))
		}
		b.issue(t, b.token, peter, verified("cards-write", two))
		b.issue(t, b.token, peter, verified("cards-write", one))
	})
	t.Run("code_wrong/5_wrong_ones_end_it", func(t *testing.T) {
		v := b.verify(t, b.token, peter)
		for i := range 5 {
			unverified("", call{}).check(t, b.send(t, askToken(peter, verified("cards-write", v.wrong(i)), auth)))
		}
		unverified("", call{}).check(t, b.send(t, askToken(peter, verified("cards-write", v), auth)))
	})
	t.Run("code_wrong/4_wrong_ones_do_not", func(t *testing.T) {
		b.forgive(t, peter)
		v := b.verify(t, b.token, peter)
		for i := range 4 {
			unverified("", call{}).check(t, b.send(t, askToken(peter, verified("cards-write", v.wrong(i)), auth)))
		}
		b.issue(t, b.token, peter, verified("cards-write", v))
	})
	b.forgive(t, peter)
	t.Run("code_expired", func(t *testing.T) {
		late, intime := b.verify(t, b.token, peter), b.verify(t, b.token, peter)
		b.Clock.Add(10*time.Minute - 5*time.Second)
		b.issue(t, b.token, peter, verified("cards-write", intime))
		b.Clock.Add(5 * time.Second)
		unverified("", call{}).check(t, b.send(t, askToken(peter, verified("cards-write", late), auth)))
	})
	t.Run("code_bound/to_another", func(t *testing.T) {
		other := b.world.token(t, b.second, "")
		v := b.verify(t, b.token, peter)
		unverified("customer", call{}).check(t, b.send(t, askToken(ana, verified("cards-write", v), auth)))
		unverified("client", call{}).check(t, b.send(t, askToken(peter, verified("cards-write", v), bearer(other))))
		unverified("org", call{}).check(t, b.send(t, askToken(foreign, verified("cards-write", v), bearer(b.world.token(t, b.wayne, "")))))
		unverified("token", call{}).check(t, b.send(t, askToken(peter, verified("cards-write", verification{v.token + "x", v.code}), auth)))
		unverified("token", call{}).check(t, b.send(t, askToken(peter, verified("cards-write", verification{"", v.code}), auth)))
		unverified("token", call{}).check(t, b.send(t, askToken(peter, verified("cards-write", verification{b.token, v.code}), auth)))
		b.issue(t, b.token, peter, verified("cards-write", v)) // the fourth try: three of those above counted
	})
	t.Run("code_bound/to_the_old_phone_number", func(t *testing.T) {
		v := b.verify(t, b.token, ana)
		b.customer(t, ana, acme, "individual", "+15555550115")
		unverified("", call{}).check(t, b.send(t, askToken(ana, verified("cards-write", v), auth)))
		if got := b.phone.last(t); b.verify(t, b.token, ana).token == "" || b.phone.last(t).Phone == got.Phone {
			t.Error("the code was sent to the old number")
		}
	})
	t.Run("code_hashed", func(t *testing.T) {
		b.keep(b.verify(t, b.token, peter).token) // world_test.go searches the store's file
	})
}

// A customer has 20 wrong codes a day over all clients.
func TestWrongCodesOfADay(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	auth := bearer(b.token)
	second := b.world.token(t, b.second, "")
	guess := func(i int) call {
		token := []string{b.token, second}[i%2]
		return askToken(peter, verified("cards-write", b.verify(t, token, peter).wrong(0)), bearer(token))
	}
	spare := b.verify(t, b.token, peter)
	for i := range 20 {
		unverified("", call{}).check(t, b.send(t, guess(i)))
	}
	waiting := row{status: 429, code: "too_many_requests", also: func(t *testing.T, r harness.Response) {
		if got := r.Header.Get("Retry-After"); len(got) != 5 || got > "86400" || got < "86300" {
			t.Errorf("Retry-After %s", got)
		}
	}}
	sent := len(b.phone.texts())
	for name, c := range map[string]call{
		"code_wrong/no_more_codes":            askCode(peter, `{"channel":"sms"}`, auth),
		"code_wrong/right_one_is_not_checked": askToken(peter, verified("cards-write", spare), auth),
		"code_wrong/other_client":             askToken(peter, verified("cards-write", spare), bearer(second)),
		"code_wrong/made_up":                  askToken(peter, verified("cards-write", verification{"made-up", "000000"}), auth),
	} {
		t.Run(name, func(t *testing.T) { waiting.check(t, b.send(t, c)) })
	}
	if got := len(b.phone.texts()); got != sent {
		t.Errorf("%d codes were sent", got-sent)
	}
	b.issue(t, b.token, peter, `{"scope":"cards"}`) // needs no code
	b.verify(t, b.token, ana)                       // is another customer
	t.Run("code_wrong/the_next_day", func(t *testing.T) {
		b.Clock.Add(24*time.Hour + time.Second)
		token := b.world.token(t, b.backend, "")
		b.issue(t, token, peter, verified("cards-write", b.verify(t, token, peter)))
	})
}

// 100 wrong codes in a row lock the customer until an operator unlocks them.
func TestLockedCustomer(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	for range 99 {
		if _, taken, err := b.store.TakeGuess(t.Context(), peter, store.GuessBounds{Window: time.Second, Today: 1000, InRow: 1000}); !taken || err != nil {
			t.Fatal(taken, err)
		}
	}
	b.Clock.Add(25 * time.Hour)
	token := b.world.token(t, b.backend, "")
	auth, spare := bearer(token), b.verify(t, token, peter)
	unverified("", call{}).check(t, b.send(t, askToken(peter, verified("cards-write", spare.wrong(0)), auth)))
	locked := row{status: 403, code: "access_denied", says: "an operator", header: map[string]string{"WWW-Authenticate": "", "Retry-After": ""}}
	use, again := askToken(peter, verified("cards-write", spare), auth), askCode(peter, `{"channel":"sms"}`, auth)
	for _, c := range []struct {
		name   string
		before func()
	}{
		{"code_wrong/at_once", func() {}},
		{"code_wrong/the_next_day", func() { b.Clock.Add(25 * time.Hour) }},
		{"code_wrong/a_year_later", func() { b.Clock.Add(365 * 24 * time.Hour) }},
		{"code_wrong/deleted_and_made_again", func() {
			b.admin(t, "DELETE", "/customers/"+peter, nil)
			b.customer(t, peter, acme, "individual", "+1"+petersPhone)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.before()
			auth = bearer(b.world.token(t, b.backend, ""))
			use.headers, again.headers = []string{apiType, auth}, []string{apiType, auth}
			for range 2 {
				locked.check(t, b.send(t, use))
				locked.check(t, b.send(t, again))
			}
		})
	}
	t.Run("code_wrong/reset", func(t *testing.T) {
		if got := b.admin(t, "GET", "/customers/"+peter, nil).JSON(t); got["codes_locked"] != true || got["wrong_codes_in_row"] != 100.0 {
			t.Errorf("customer: %v", got)
		}
		b.forgive(t, peter)
		token := b.world.token(t, b.backend, "")
		b.issue(t, token, peter, verified("cards-write", b.verify(t, token, peter)))
	})
}

// The code is exactly the six digits that were sent.
func TestCodeForms(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	auth := bearer(b.token)
	v := b.verify(t, b.token, peter)
	for name, code := range map[string]string{
		"empty": "", "five_digits": v.code[:5], "seven_digits": v.code + "0", "a_zero_in_front": "0" + v.code, "blank_in_front": " " + v.code, "blank_behind": v.code + " ",
		"blank_within": v.code[:3] + " " + v.code[3:], "dash": v.code[:3] + "-" + v.code[3:], "full_width": fullWidth(v.code), "letters": "12345a", "sign": "+12345", "hex": "0x1234",
		"line_end": v.code + `\n`, "nul": v.code + `\u0000`,
	} {
		t.Run("code_form/"+name, func(t *testing.T) {
			unsound("", call{}, "/data/attributes/verificationCode").check(t, b.send(t, askToken(peter, verified("cards-write", verification{v.token, code}), auth)))
		})
	}
	t.Run("code_form/none_of_them_counted_as_a_try", func(t *testing.T) { b.issue(t, b.token, peter, verified("cards-write", v)) })
	t.Run("code_form/six_digits_are_sent", func(t *testing.T) {
		for range 20 { // about two of them begin with 0
			if code := b.verify(t, b.token, peter).code; len(code) != 6 || strings.Trim(code, "0123456789") != "" {
				t.Errorf("code %q", code)
			}
		}
	})
}

func fullWidth(code string) string {
	return strings.Map(func(r rune) rune { return r - '0' + '０' }, code)
}

func TestSandboxCode(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"000001", "012345", "000000"} {
		b := newBank(t, func(c *config.Config) { c.Customers.SandboxCode = code })
		auth := bearer(b.token)
		ask := func() verification {
			r := b.send(t, askCode(peter, `{"channel":"sms"}`, auth))
			made("", call{}).check(t, r)
			v := attribute(t, r, "verificationToken")
			b.keep(v)
			return verification{v, code}
		}
		t.Run("sandbox_code/"+code, func(t *testing.T) {
			v := ask()
			unverified("", call{}).check(t, b.send(t, askToken(peter, verified("cards-write", v.wrong(0)), auth)))
			for _, short := range []string{strings.TrimLeft(code, "0"), code[1:], "0" + code} { // leading zeros count
				unsound("", call{}, "/data/attributes/verificationCode").check(t, b.send(t, askToken(peter, verified("cards-write", verification{v.token, short}), auth)))
			}
			b.issue(t, b.token, peter, verified("cards-write", v))
			unverified("", call{}).check(t, b.send(t, askToken(peter, verified("cards-write", v), auth)))
		})
		t.Run("sandbox_code/without_a_verification_it_is_nothing", func(t *testing.T) {
			unverified("", call{}).check(t, b.send(t, askToken(peter, verified("cards-write", verification{"made-up", code}), auth)))
		})
		t.Run("sandbox_code/nothing_is_sent", func(t *testing.T) {
			if got := b.phone.texts(); len(got) > 0 {
				t.Errorf("codes were sent: %v", got)
			}
		})
	}
	t.Run("sandbox_code/impossible_in_live", func(t *testing.T) {
		c := config.Defaults()
		c.Environment, c.Issuer, c.Customers.SandboxCode = "live", "https://auth.example.com", "000001"
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "customers.sandbox_code") {
			t.Errorf("validation says %v", err)
		}
	})
}

func TestCodesSent(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	auth := bearer(b.token)
	for _, c := range []struct {
		name, customer, attributes string
		want                       text
	}{
		{"code_phone/on_file", peter, `{"channel":"sms"}`, text{Channel: "sms", Phone: "+1" + petersPhone, Language: "en", Text: "Your grantd verification code is: %s"}},
		{"code_phone/call", peter, `{"channel":"call"}`, text{Channel: "call", Phone: "+1" + petersPhone, Language: "en"}},
		{"code_phone/spanish", peter, `{"channel":"sms","language":"es"}`, text{Channel: "sms", Phone: "+1" + petersPhone, Language: "es"}},
		{"code_phone/french", peter, `{"channel":"sms","language":"fr"}`, text{Channel: "sms", Phone: "+1" + petersPhone, Language: "fr", TextIn: "en", Text: "Your grantd verification code is: %s"}},
		{"code_phone/cantonese_call", peter, `{"channel":"call","language":"zh-HK"}`, text{Channel: "call", Phone: "+1" + petersPhone, Language: "zh-HK", TextIn: "en"}},
		{"code_phone/app", peter, `{"channel":"sms","appHash":"FA+9qCX9VSu"}`, text{Channel: "sms", Phone: "+1" + petersPhone, Language: "en", AppHash: "FA+9qCX9VSu", Text: "Your grantd verification code is: %s\nFA+9qCX9VSu"}},
		{"code_phone/first_user", daily, `{"channel":"sms","phone":{"countryCode":"1","number":"5555550111"}}`, text{Channel: "sms", Phone: "+15555550111", Language: "en"}},
		{"code_phone/second_user", daily, `{"channel":"sms","phone":{"countryCode":"+1","number":"(555) 555-0112"}}`, text{Channel: "sms", Phone: "+15555550112", Language: "en"}},
		{"code_phone/business_itself", daily, `{"channel":"sms"}`, text{Channel: "sms", Phone: "+15555550110", Language: "en"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := b.send(t, askCode(c.customer, c.attributes, auth))
			made("", call{}).check(t, r)
			v := attribute(t, r, "verificationToken")
			b.keep(v)
			if want := fmt.Sprintf(`{"data":{"type":"customerTokenVerification","attributes":{"verificationToken":%q}}}`, v); r.Body != want {
				t.Errorf("%s, want %s", r.Body, want)
			}
			got := b.phone.last(t)
			c.want.Code, c.want.CustomerID, c.want.OrgID = got.Code, c.customer, acme
			if c.want.Text == "" {
				c.want.Text = got.Text
			}
			if c.want.TextIn == "" {
				c.want.TextIn = c.want.Language
			}
			c.want.Text = strings.ReplaceAll(c.want.Text, "%s", got.Code)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			b.issue(t, b.token, c.customer, verified("cards-write", verification{v, got.Code}))
		})
	}
	sent := len(b.phone.texts())
	notOnFile := "/data/attributes/phone"
	b.run(t, []row{
		unsound("code_phone/not_on_file", askCode(daily, `{"channel":"sms","phone":{"countryCode":"1","number":"5555550199"}}`, auth), notOnFile),
		unsound("code_phone/of_another_customer", askCode(daily, `{"channel":"sms","phone":{"countryCode":"1","number":"`+petersPhone+`"}}`, auth), notOnFile),
		unsound("code_phone/of_an_individual", askCode(peter, `{"channel":"sms","phone":{"countryCode":"1","number":"`+petersPhone+`"}}`, auth), notOnFile),
	})
	t.Run("code_phone/nothing_is_sent", func(t *testing.T) {
		if got := len(b.phone.texts()); got != sent {
			t.Errorf("%d codes were sent", got-sent)
		}
	})
	t.Run("code_masked", func(t *testing.T) {
		// world_test.go checks that neither log nor audit holds a number or a code.
		if got := b.audit(t); !strings.Contains(got, `"phone":"+*******0136"`) || !strings.Contains(got, `"action":"customer.send_code"`) {
			t.Errorf("audit: %.1000s", got)
		}
		if got := b.admin(t, "GET", "/customers/"+daily, nil).Body; strings.Contains(got, "555555011") || !strings.Contains(got, `"+*******0110"`) {
			t.Errorf("customer: %s", got)
		}
		if got := b.admin(t, "GET", "/customers", nil).Body; strings.Contains(got, "55555501") {
			t.Errorf("customers: %s", got)
		}
	})
}

// Codes are limited per phone number, customer, client and org.
func TestCodeLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		limit func(*config.Limits) *config.Limit
		same  func(b *bank) []call // share one limit
		apart func(b *bank) call   // has a different one
	}{
		{"code_limits/phone", func(l *config.Limits) *config.Limit { return &l.CodesPerPhone },
			func(b *bank) []call {
				return []call{askCode(daily, `{"channel":"sms"}`, bearer(b.token)), askCode(daily, `{"channel":"call","phone":{"countryCode":"1","number":"5555550110"}}`, bearer(b.token))}
			},
			func(b *bank) call {
				return askCode(daily, `{"channel":"sms","phone":{"countryCode":"1","number":"5555550112"}}`, bearer(b.token))
			}},
		{"code_limits/customer", func(l *config.Limits) *config.Limit { return &l.CodesPerCustomer },
			func(b *bank) []call {
				return []call{askCode(daily, `{"channel":"sms"}`, bearer(b.token)), askCode(daily, `{"channel":"sms","phone":{"countryCode":"1","number":"5555550112"}}`, bearer(b.token))}
			},
			func(b *bank) call { return askCode(peter, `{"channel":"sms"}`, bearer(b.token)) }},
		{"code_limits/client", func(l *config.Limits) *config.Limit { return &l.CodesPerClient },
			func(b *bank) []call {
				return []call{askCode(daily, `{"channel":"sms"}`, bearer(b.token)), askCode(peter, `{"channel":"sms"}`, bearer(b.token))}
			},
			func(b *bank) call { return askCode(peter, `{"channel":"sms"}`, bearer(b.second.ClientSecret)) }},
		{"code_limits/org", func(l *config.Limits) *config.Limit { return &l.CodesPerOrg },
			func(b *bank) []call {
				return []call{askCode(daily, `{"channel":"sms"}`, bearer(b.token)), askCode(peter, `{"channel":"sms"}`, bearer(b.second.ClientSecret))}
			},
			func(b *bank) call { return askCode(foreign, `{"channel":"sms"}`, bearer(b.wayne.ClientSecret)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBank(t, func(cfg *config.Config) { *c.limit(&cfg.Limits) = config.Limit{Count: 3, Per: 10 * time.Minute} })
			// Tokens instead of secrets: the rows above are made before there are tokens.
			b.second.ClientSecret, b.wayne.ClientSecret = b.world.token(t, b.second, ""), b.world.token(t, b.wayne, "")
			b.customer(t, daily, acme, "business", "+15555550110", "+15555550110", "+15555550112")
			same := c.same(b)
			send := func(i int) harness.Response {
				t.Helper()
				r := b.send(t, same[i%len(same)])
				if r.Status == 201 {
					b.keep(attribute(t, r, "verificationToken"))
				}
				return r
			}
			for i := range 3 {
				made("", call{}).check(t, send(i))
			}
			for i := range 4 {
				row{status: 429, code: "too_many_requests"}.check(t, send(i))
			}
			if got := len(b.phone.texts()); got != 3 {
				t.Errorf("%d codes were sent", got)
			}
			made("", call{}).check(t, b.send(t, c.apart(b)))
			b.Clock.Add(10*time.Minute + time.Second)
			made("", call{}).check(t, send(0))
		})
	}
}

// Fifty right submissions at the same time make one token.
func TestOneOfFifty(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		phone := newTelephone(t)
		b := &bank{phone: phone, world: startWorld(t, start, harness.Options{Edit: phone.configure})}
		b.world.phone = phone
		b.populate(t)
		for round := range 3 {
			t.Run(fmt.Sprint("code_parallel/round_", round), func(t *testing.T) {
				v := b.verify(t, b.token, peter)
				// Each submission counts as wrong until its code was
				// checked, so those beyond 20 at the same time get 429.
				var right, refused, waiting atomic.Int32
				var all sync.WaitGroup
				for range 50 {
					all.Go(func() {
						r := b.send(t, askToken(peter, verified("cards-write", v), bearer(b.token)))
						switch {
						case r.Status == 201:
							right.Add(1)
						case r.Status == 429:
							waiting.Add(1)
						case r.Status == 400 && errorOf(t, r).Code == "invalid_verification":
							refused.Add(1)
						default:
							t.Errorf("%d %s", r.Status, r.Body)
						}
					})
				}
				all.Wait()
				if right.Load() != 1 {
					t.Errorf("%d tokens, %d refused, %d told to wait; want 1 token", right.Load(), refused.Load(), waiting.Load())
				}
				unverified("", call{}).check(t, b.send(t, askToken(peter, verified("cards-write", v), bearer(b.token))))
			})
		}
		t.Run("code_parallel/none_of_them_was_wrong", func(t *testing.T) {
			if got := b.admin(t, "GET", "/customers/"+peter, nil).JSON(t); got["wrong_codes_today"] != 0.0 || got["wrong_codes_in_row"] != 0.0 {
				t.Errorf("customer: %v", got)
			}
		})
	})
}
