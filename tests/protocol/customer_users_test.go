package protocol_test

import (
	"testing"
)

// firm is a business with the authorized users 20, 21 and one without an id. 20 and 21
// have different phones. Those of twins have the same one.
const firm, twins = "10005", "10006"

func (b *bank) firms(t *testing.T) {
	t.Helper()
	put := func(id string, users ...map[string]string) {
		t.Helper()
		b.admin(t, "PUT", "/customers/"+id, map[string]any{"org_id": acme, "type": "business", "phone": "+15555550140", "authorized_users": users})
	}
	put(firm,
		map[string]string{"id": "20", "name": "Jane", "phone": "+15555550141"}, map[string]string{"id": "21", "name": "Juan", "phone": "+15555550142"},
		map[string]string{"name": "Nameless", "phone": "+15555550143"})
	put(twins, map[string]string{"id": "30", "name": "Ann", "phone": "+15555550144"}, map[string]string{"id": "31", "name": "Ben", "phone": "+15555550144"})
}

// inRelation is a request for a token or a code whose document has relationships.
func inRelation(customer, path, typ, attributes, relationships, token string) call {
	return post("/customers/"+customer+path, `{"data":{"type":"`+typ+`","attributes":`+attributes+`,"relationships":`+relationships+`}}`, apiType, bearer(token))
}

// user returns relationships that name the authorized user.
func user(id string) string {
	return `{"authorizedUserResource":{"data":{"type":"authorizedUser","id":"` + id + `"}}}`
}

func tokenOf(customer, attributes, relationships, token string) call {
	return inRelation(customer, "/token", "customerToken", attributes, relationships, token)
}

func codeOf(customer, attributes, relationships, token string) call {
	return inRelation(customer, "/token/verification", "customerTokenVerification", attributes, relationships, token)
}

// verifyBy sends a code with the request, and checks to which phone it goes.
func (b *bank) verifyBy(t *testing.T, c call, phone string) verification {
	t.Helper()
	r := b.send(t, c)
	made("", c).check(t, r)
	v := attribute(t, r, "verificationToken")
	b.keep(v)
	if got := b.phone.last(t).Phone; got != phone {
		t.Errorf("the code went to %s, want %s", got, phone)
	}
	return verification{v, b.phone.last(t).Code}
}

// userOf returns the authorized user of a token that the request makes.
func (b *bank) userOf(t *testing.T, c call) (token string, id any) {
	t.Helper()
	r := b.send(t, c)
	made("", c).check(t, r)
	token = attribute(t, r, "token")
	return token, b.shown(t, b.api, token)["authorized_user_id"]
}

func TestAuthorizedUserInput(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.firms(t)
	const at = "/data/relationships/authorizedUserResource"
	for _, e := range []struct {
		name string
		ask  func(customer, relationships string) call
	}{
		{"token", func(customer, r string) call { return tokenOf(customer, `{"scope":"cards"}`, r, b.token) }},
		{"code", func(customer, r string) call { return codeOf(customer, `{"channel":"sms"}`, r, b.token) }},
	} {
		one := func(identifier string) string { return `{"authorizedUserResource":{"data":` + identifier + `}}` }
		t.Run(e.name, func(t *testing.T) {
			b.run(t, []row{
				unsound("customer_user/unknown", e.ask(firm, user("22")), at+"/data/id"),
				unsound("customer_user/of_another_business", e.ask(firm, user("30")), at+"/data/id"),
				unsound("customer_user/empty", e.ask(firm, user("")), at+"/data/id"),
				unsound("customer_user/by_name", e.ask(firm, user("Jane")), at+"/data/id"),
				unsound("customer_user/of_an_individual", e.ask(peter, user("20")), at),
				unsound("customer_user/number", e.ask(firm, one(`{"type":"authorizedUser","id":20}`)), at),
				unsound("customer_user/no_type", e.ask(firm, one(`{"id":"20"}`)), at),
				unsound("customer_user/no_id", e.ask(firm, one(`{"type":"authorizedUser"}`)), at),
				unsound("customer_user/another_type", e.ask(firm, one(`{"type":"businessCustomer","id":"20"}`)), at+"/data/type"),
				unsound("customer_user/two", e.ask(firm, one(`[{"type":"authorizedUser","id":"20"},{"type":"authorizedUser","id":"21"}]`)), at),
				unsound("customer_user/no_data", e.ask(firm, `{"authorizedUserResource":{"id":"20"}}`), at),
				unsound("customer_user/a_string", e.ask(firm, `{"authorizedUserResource":"20"}`), at),
				unsound("customer_user/list_of_relationships", e.ask(firm, `[]`), "/data/relationships"),
				unsound("customer_user/twice", e.ask(firm, `{"authorizedUserResource":{"data":{"type":"authorizedUser","id":"20"}},"authorizedUserResource":{"data":null}}`), ""),
				made("customer_user/nobody", e.ask(firm, one(`null`))),
				made("customer_user/type_of_the_relationship", e.ask(firm, one(`{"type":"authorizedUserResource","id":"20"}`))),
				made("customer_user/another_relationship", e.ask(peter, `{"authorizedUser":{"data":{"type":"authorizedUser","id":"20"}}}`)),
				unknown("customer_user/of_an_unknown_customer", e.ask(nobody, user("20"))),
			})
		})
	}
	t.Run("customer_user/phone_of_another", func(t *testing.T) {
		c := codeOf(firm, `{"channel":"sms","phone":{"countryCode":"1","number":"5555550142"}}`, user("20"), b.token)
		unsound("", c, "/data/attributes/phone").check(t, b.send(t, c))
	})
}

func TestAuthorizedUserTokens(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.firms(t)
	expect := func(t *testing.T, c call, want any) {
		t.Helper()
		if _, got := b.userOf(t, c); got != want {
			t.Errorf("authorized_user_id is %v, want %v", got, want)
		}
	}
	const reads = `{"scope":"cards"}`
	phoneOf := func(number string) string {
		return `{"channel":"sms","phone":{"countryCode":"1","number":"` + number + `"}}`
	}
	t.Run("customer_user/named", func(t *testing.T) { expect(t, tokenOf(firm, reads, user("20"), b.token), "20") })
	t.Run("customer_user/not_named", func(t *testing.T) { expect(t, tokenOf(firm, reads, `{}`, b.token), nil) })
	t.Run("customer_user/named_with_a_code", func(t *testing.T) {
		v := b.verifyBy(t, codeOf(firm, `{"channel":"sms"}`, user("20"), b.token), "+15555550141")
		expect(t, tokenOf(firm, verified("cards-write", v), user("20"), b.token), "20")
	})
	t.Run("customer_user/phone_named_as_before", func(t *testing.T) {
		v := b.verifyBy(t, codeOf(firm, phoneOf("5555550142"), `{}`, b.token), "+15555550142")
		expect(t, tokenOf(firm, verified("cards-write", v), user("21"), b.token), "21")
	})
	t.Run("customer_user/known_by_the_code", func(t *testing.T) {
		v := b.verifyBy(t, codeOf(firm, phoneOf("5555550142"), `{}`, b.token), "+15555550142")
		expect(t, tokenOf(firm, verified("cards-write", v), `{}`, b.token), "21")
	})
	t.Run("customer_user/without_an_id", func(t *testing.T) {
		v := b.verifyBy(t, codeOf(firm, phoneOf("5555550143"), `{}`, b.token), "+15555550143")
		expect(t, tokenOf(firm, verified("cards-write", v), `{}`, b.token), nil)
	})
	t.Run("customer_user/code_of_the_business", func(t *testing.T) {
		v := b.verifyBy(t, codeOf(firm, `{"channel":"sms"}`, `{}`, b.token), "+15555550140")
		c := tokenOf(firm, verified("cards-write", v), user("20"), b.token)
		unverified("", c).check(t, b.send(t, c))
		expect(t, tokenOf(firm, verified("cards-write", v), `{}`, b.token), nil) // the code was not used up
	})
	t.Run("customer_user/code_of_another", func(t *testing.T) {
		v := b.verifyBy(t, codeOf(firm, `{"channel":"sms"}`, user("21"), b.token), "+15555550142")
		c := tokenOf(firm, verified("cards-write", v), user("20"), b.token)
		unverified("", c).check(t, b.send(t, c))
	})
	t.Run("customer_user/two_with_one_phone", func(t *testing.T) {
		v := b.verifyBy(t, codeOf(twins, phoneOf("5555550144"), `{}`, b.token), "+15555550144")
		expect(t, tokenOf(twins, verified("cards-write", v), `{}`, b.token), nil)
		v = b.verifyBy(t, codeOf(twins, phoneOf("5555550144"), `{}`, b.token), "+15555550144")
		expect(t, tokenOf(twins, verified("cards-write", v), user("31"), b.token), "31")
	})
}

// A token of an authorized user is upgraded by that person only.
func TestAuthorizedUserUpgrade(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.firms(t)
	const upgradable = `{"scope":"customers cards customer-token-write","upgradableScope":"cards-write"}`
	mine, _ := b.userOf(t, tokenOf(firm, upgradable, user("20"), b.token))
	const at = "/data/relationships/authorizedUserResource/data/id"
	b.run(t, []row{
		unsound("customer_user/upgrade_for_another", tokenOf(firm, `{"scope":"cards"}`, user("21"), mine), at),
		unsound("customer_user/code_for_another", codeOf(firm, `{"channel":"sms"}`, user("21"), mine), at),
		unsound("customer_user/code_to_another_phone", codeOf(firm, `{"channel":"sms","phone":{"countryCode":"1","number":"5555550142"}}`, `{}`, mine), "/data/attributes/phone"),
		made("customer_user/code_to_their_phone", codeOf(firm, `{"channel":"sms","phone":{"countryCode":"1","number":"5555550141"}}`, user("20"), mine)),
	})
	t.Run("customer_user/upgrade", func(t *testing.T) {
		v := b.verifyBy(t, codeOf(firm, `{"channel":"sms"}`, `{}`, mine), "+15555550141")
		if _, got := b.userOf(t, tokenOf(firm, verified("cards cards-write", v), `{}`, mine)); got != "20" {
			t.Errorf("authorized_user_id is %v", got)
		}
	})
	t.Run("customer_user/code_of_the_backend", func(t *testing.T) {
		// A code that the same client had sent to somebody else.
		v := b.verifyBy(t, codeOf(firm, `{"channel":"sms"}`, user("21"), b.token), "+15555550142")
		c := tokenOf(firm, verified("cards-write", v), `{}`, mine)
		unverified("", c).check(t, b.send(t, c))
	})
	t.Run("customer_user/removed", func(t *testing.T) {
		other, _ := b.userOf(t, tokenOf(firm, `{"scope":"cards"}`, user("21"), b.token))
		put := func(users ...map[string]string) {
			t.Helper()
			b.admin(t, "PUT", "/customers/"+firm, map[string]any{"org_id": acme, "type": "business", "phone": "+15555550140", "authorized_users": users})
		}
		jane := map[string]string{"id": "20", "name": "Jane", "phone": "+15555550141"}
		juan := map[string]string{"id": "21", "name": "Juan Pérez", "phone": "+15555550149"}
		put(jane, juan)
		if !b.introspect(t, b.api, mine) || !b.introspect(t, b.api, other) {
			t.Error("a new name and phone, and the end of somebody without an id, end a token")
		}
		put(juan)
		for _, token := range []string{mine, other} {
			if b.introspect(t, b.api, token) {
				t.Error("a token is active after an authorized user was removed")
			}
		}
		c := tokenOf(firm, `{"scope":"cards"}`, user("20"), b.token)
		unsound("", c, at).check(t, b.send(t, c))
		if _, got := b.userOf(t, tokenOf(firm, `{"scope":"cards"}`, user("21"), b.token)); got != "21" {
			t.Errorf("authorized_user_id is %v", got)
		}
	})
}
