package protocol_test

import (
	"testing"

	"github.com/grantd/grantd/config"
)

// TestNoCodes: a server without a sender of codes refuses what needs one, and nothing
// else.
func TestNoCodes(t *testing.T) {
	t.Parallel()
	none := func(c *config.Config) { c.Customers.Sender = "none" }
	b := newBank(t, none)
	auth, sms := bearer(b.token), `{"channel":"sms"}`
	noScope := bearer(b.world.token(t, b.backend, "cards"))
	b.run(t, []row{
		{name: "no_codes", call: askCode(peter, sms, auth), status: 403, code: "no_verification", header: map[string]string{"WWW-Authenticate": "", "Retry-After": ""}},
		{name: "no_codes/by_call", call: askCode(peter, `{"channel":"call"}`, auth), status: 403, code: "no_verification"},
		{name: "no_codes/for_a_token", call: askToken(peter, `{"scope":"cards payments-write cards-write"}`, auth), status: 403, code: "no_verification",
			pointer: "/data/attributes/scope", needs: "payments-write cards-write"},
		{name: "no_codes/rights_come_first", call: askCode(peter, sms, noScope), status: 403, code: "insufficient_scope", needs: "customers"},
		{name: "no_codes/customers_come_first", call: askCode(foreign, sms, auth), status: 404, code: "not_found"},
		made("no_codes/not_needed", askToken(peter, `{"scope":"cards"}`, auth)),
	})
	if got := b.phone.texts(); len(got) > 0 {
		t.Errorf("codes were sent: %v", got)
	}
	upgradable := attribute(t, b.send(t, askToken(peter, `{"scope":"customers cards customer-token-write","upgradableScope":"cards-write"}`, auth)), "token")
	b.run(t, []row{{name: "no_codes/no_upgrade", call: askToken(peter, `{"scope":"cards-write"}`, bearer(upgradable)), status: 403, code: "no_verification",
		pointer: "/data/attributes/scope", needs: "cards-write"}})

	// The fixed code of a sandbox needs no sender.
	fixed := newBank(t, none, func(c *config.Config) { c.Customers.SandboxCode = "000001" })
	fixed.run(t, []row{{name: "no_codes/sandbox_code", call: askCode(peter, sms, bearer(fixed.token)), status: 201}})
}
