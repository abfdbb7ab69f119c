//go:build chaos

package chaos_test

import (
	"math/rand/v2"
	"net/url"
)

// operation is one change of a family. It writes down what has ended once the
// response says so.
type operation struct {
	name string
	can  func(f *family) bool
	do   func(l *lab, f *family, r *replica) error
}

var operations = []operation{
	{"issue a token", (*family).clientWorks, issueToken},
	{"issue a token", (*family).clientWorks, issueToken},
	{"make a customer token", (*family).customerWorks, makeCustomerToken},
	{"make an on-behalf token", (*family).grantWorks, makeBehalfToken},
	{"send a code", (*family).customerWorks, sendCode},

	{"revoke a token", func(f *family) bool { return f.clientWorks() && len(f.tokens) > 0 }, revokeToken},
	{"rotate the secret", (*family).clientWorks, rotate},
	{"revoke the secret", (*family).clientWorks, revokeSecret},
	{"leak the secret", (*family).clientWorks, leakSecret},
	{"void the client's tokens", (*family).clientWorks, voidClient},
	{"narrow the client", func(f *family) bool { return f.clientWorks() && !f.narrowed }, narrow},
	{"deactivate the client", (*family).clientWorks, deactivateClient},
	{"reactivate the client", func(f *family) bool { return f.clientOff && !f.orgOff && !f.orgGone }, reactivateClient},
	{"delete the client", (*family).clientWorks, deleteClient},
	{"change the phone", (*family).customerWorks, changePhone},
	{"void the customer's tokens", (*family).customerWorks, voidCustomer},
	{"deactivate the customer", (*family).customerWorks, endCustomer("POST", "/deactivate")},
	{"delete the customer", (*family).customerWorks, endCustomer("DELETE", "")},
	{"deactivate the org", (*family).clientWorks, deactivateOrg},
	{"reactivate the org", func(f *family) bool { return f.orgOff }, reactivateOrg},
	{"delete the org", (*family).clientWorks, deleteOrg},
	{"withdraw the grant", (*family).grantWorks, withdraw},
	{"revoke the partner token", (*family).partnerWorks, endPartnerToken(func(f *family, r *replica) error {
		return r.admin("DELETE", "/partners/"+f.id+"/tokens/"+f.partnerTokenID, nil, nil)
	})},
	{"leak the partner token", (*family).partnerWorks, endPartnerToken(func(f *family, r *replica) error {
		return r.admin("POST", "/leaks", object{"credential": f.partnerToken}, nil)
	})},
	{"deactivate the partner", (*family).partnerWorks, endPartner("POST", "/deactivate")},
	{"delete the partner", (*family).partnerWorks, endPartner("DELETE", "")},
}

func (f *family) customerWorks() bool { return f.clientWorks() && !f.customerGone }

// step carries out a random operation that the family allows.
func (l *lab) step(f *family) {
	var list []operation
	for _, op := range operations {
		if op.can(f) {
			list = append(list, op)
		}
	}
	if len(list) == 0 {
		return // nothing is left of it
	}
	if err := list[rand.IntN(len(list))].do(l, f, l.any()); err != nil {
		f.unclear = true
		return
	}
	f.ack()
	l.acknowledged.Add(1)
}

// endTokens writes down that the tokens have ended.
func (l *lab) endTokens(why string, tokens *[]string) {
	for _, token := range *tokens {
		l.history.end("token: "+why, true, l.tryToken(token))
	}
	*tokens = nil
}

// endClientTokens writes down that all tokens that the client has made have ended.
func (l *lab) endClientTokens(why string, f *family) {
	l.endTokens(why, &f.tokens)
	l.endTokens(why, &f.customerTokens)
}

func issueToken(_ *lab, f *family, r *replica) error {
	token, err := issue(r, f.id, f.secret, "")
	if err == nil {
		f.tokens = append(f.tokens, token)
	}
	return err
}

func makeCustomerToken(_ *lab, f *family, r *replica) error {
	bearer, err := issue(r, f.id, f.secret, "")
	if err != nil {
		return err
	}
	token, err := customerToken(r, bearer, f.id)
	if err == nil {
		f.customerTokens = append(f.customerTokens, token)
	}
	return err
}

func makeBehalfToken(_ *lab, f *family, r *replica) error {
	token, err := onBehalf(r, f.partnerToken, f.id)
	if err == nil {
		f.behalfTokens = append(f.behalfTokens, token)
	}
	return err
}

func sendCode(_ *lab, f *family, r *replica) (err error) {
	bearer, err := issue(r, f.id, f.secret, "")
	if err != nil {
		return err
	}
	f.verification, err = r.document(bearer, "/customers/"+f.id+"/token/verification", "customerTokenVerification", object{"channel": "sms"}, "verificationToken")
	return err
}

func revokeToken(l *lab, f *family, r *replica) error {
	last := len(f.tokens) - 1
	token := f.tokens[last]
	f.tokens = f.tokens[:last]
	err := r.form("/oauth/revoke", f.id, f.secret, url.Values{"token": {token}}, nil)
	if err == nil {
		l.history.end("token: revoked", true, l.tryToken(token))
	}
	return err
}

// newSecret makes a new secret. The tokens that were made with the old one are not
// looked at any more.
func newSecret(f *family, r *replica, grace string) error {
	var out struct {
		Secret string `json:"client_secret"`
		ID     string `json:"secret_id"`
	}
	err := r.admin("POST", "/clients/"+f.id+"/secrets", object{"grace": grace}, &out)
	if err == nil {
		f.secret, f.secretID, f.tokens, f.customerTokens = out.Secret, out.ID, nil, nil
		f.ack()
	}
	return err
}

func rotate(l *lab, f *family, r *replica) error {
	old := f.secret
	err := newSecret(f, r, "0s")
	if err == nil {
		l.history.end("secret: rotated away", false, trySecret(f.id, old))
	}
	return err
}

func revokeSecret(l *lab, f *family, r *replica) error {
	old, id, tokens, customer := f.secret, f.secretID, f.tokens, f.customerTokens
	if err := newSecret(f, r, "24h"); err != nil {
		return err
	}
	err := r.admin("DELETE", "/clients/"+f.id+"/secrets/"+id+"?void_tokens=true", nil, nil)
	if err == nil {
		l.history.end("secret: revoked", false, trySecret(f.id, old))
		l.endTokens("secret revoked", &tokens)
		l.endTokens("secret revoked", &customer)
	}
	return err
}

func leakSecret(l *lab, f *family, r *replica) error {
	if err := r.admin("POST", "/leaks", object{"credential": f.secret}, nil); err != nil {
		return err
	}
	l.history.end("secret: leaked", false, trySecret(f.id, f.secret))
	l.endClientTokens("secret leaked", f)
	return newSecret(f, r, "0s")
}

func voidClient(l *lab, f *family, r *replica) error {
	err := r.admin("POST", "/clients/"+f.id+"/void-tokens", nil, nil)
	if err == nil {
		l.endClientTokens("client voided", f)
	}
	return err
}

func narrow(l *lab, f *family, r *replica) error {
	err := r.admin("PATCH", "/clients/"+f.id, object{"scope": narrowScope, "default_scope": narrowScope}, nil)
	if err == nil {
		f.narrowed = true
		l.history.end("scope: taken away", false, tryScope(f.id, f.secret, removedScope))
		l.endClientTokens("client narrowed", f)
	}
	return err
}

func deactivateClient(l *lab, f *family, r *replica) error {
	err := r.admin("POST", "/clients/"+f.id+"/deactivate", nil, nil)
	if err == nil {
		f.clientOff = true
		f.offFacts = append(f.offFacts, l.history.end("client: deactivated", false, trySecret(f.id, f.secret)))
		l.endClientTokens("client deactivated", f)
	}
	return err
}

func reactivateClient(l *lab, f *family, r *replica) error {
	l.lift(f) // the outcome may be unknown
	err := r.admin("POST", "/clients/"+f.id+"/reactivate", nil, nil)
	if err == nil {
		f.clientOff = false
	}
	return err
}

// lift forgets that what is deactivated has ended.
func (l *lab) lift(f *family) {
	l.history.lift(f.offFacts)
	f.offFacts = nil
}

func deleteClient(l *lab, f *family, r *replica) error {
	err := r.admin("DELETE", "/clients/"+f.id, nil, nil)
	if err == nil {
		f.clientGone = true
		l.history.end("client: deleted", false, trySecret(f.id, f.secret))
		l.endClientTokens("client deleted", f)
	}
	return err
}

func changePhone(l *lab, f *family, r *replica) error {
	err := r.admin("PUT", "/customers/"+f.id, f.customer(), nil)
	if err == nil && f.verification != "" {
		l.history.end("code: sent to a phone of before", false, tryCode(f.id, f.secret, f.id, f.verification))
		f.verification = ""
	}
	return err
}

func voidCustomer(l *lab, f *family, r *replica) error {
	err := r.admin("POST", "/customers/"+f.id+"/void-tokens", nil, nil)
	if err == nil {
		l.endTokens("customer voided", &f.customerTokens)
	}
	return err
}

func endCustomer(method, path string) func(l *lab, f *family, r *replica) error {
	return func(l *lab, f *family, r *replica) error {
		err := r.admin(method, "/customers/"+f.id+path, nil, nil)
		if err == nil {
			f.customerGone = true
			l.history.end("customer: "+method+path, false, tryCustomer(f.id, f.secret, f.id))
			l.endTokens("customer ended", &f.customerTokens)
		}
		return err
	}
}
