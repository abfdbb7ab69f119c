//go:build chaos

package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// code is right for every customer: the configuration says so, and nothing is sent.
const code = "000001"

const (
	clientScope = "users:read customers cards cards-write customer-token-write"
	// removedScope is what narrowing a client takes away.
	removedScope = "users:read"
	narrowScope  = "customers cards cards-write customer-token-write"
	partnerScope = "customers cards"
)

// family is an org with a client and a customer, and a partner that may act for the
// org. One worker changes it, so that what is acknowledged is known exactly.
type family struct {
	id                           string // of all of them; ids are never used twice
	secret, secretID             string
	partnerToken, partnerTokenID string
	verification                 string // a code that was sent; "": none

	// Access tokens that should be active.
	tokens, customerTokens, behalfTokens []string

	clientOff, clientGone, orgOff, orgGone, customerGone bool
	narrowed, partnerGone, grantGone, partnerTokenGone   bool
	offFacts                                             []*fact // of what is deactivated
	phones                                               int

	acked []time.Time // when each change was acknowledged
	// unclear: a change had no clear outcome. Nobody knows what lives, but what had
	// ended before has.
	unclear bool
}

func (f *family) clientWorks() bool {
	return !f.clientOff && !f.clientGone && !f.orgOff && !f.orgGone && f.secret != ""
}

func (f *family) partnerWorks() bool { return !f.partnerGone && !f.partnerTokenGone }

func (f *family) grantWorks() bool {
	return f.partnerWorks() && !f.grantGone && !f.orgOff && !f.orgGone
}

// ack writes down that a change was acknowledged now.
func (f *family) ack() { f.acked = append(f.acked, time.Now()) }

// hurt reports whether the damage may have taken a change of the family.
func (f *family) hurt(d damage) bool {
	return slices.ContainsFunc(f.acked, func(at time.Time) bool { return at.After(d.since) && at.Before(d.until) })
}

// history returns when the changes of the family were acknowledged, relative to the
// end of the damage.
func (f *family) history(d damage) string {
	if d.until.IsZero() {
		return "nothing is excused"
	}
	var list []time.Duration
	for _, at := range f.acked {
		list = append(list, at.Sub(d.until).Round(time.Millisecond))
	}
	return fmt.Sprintf("the fault may take what was acknowledged from %v to 0s, its changes were at %v", d.since.Sub(d.until).Round(time.Millisecond), list)
}

// parts returns what should work; access tokens are part of it only if tokens is
// set.
func (f *family) parts(l *lab, tokens bool) []part {
	var list []part
	add := func(what string, try attempt) { list = append(list, part{what, try}) }
	all := func(what string, list []string) {
		for _, token := range list {
			if !tokens {
				return
			}
			add(what, l.tryToken(token))
		}
	}
	if f.clientWorks() {
		add("client", trySecret(f.id, f.secret))
		all("token", f.tokens)
		if !f.customerGone {
			add("customer", tryCustomer(f.id, f.secret, f.id))
			all("customer token", f.customerTokens)
		}
	}
	if f.partnerWorks() {
		add("partner token", tryPartnerToken(f.partnerToken))
	}
	if f.grantWorks() {
		add("grant", tryGrant(f.partnerToken, f.id))
		all("on-behalf token", f.behalfTokens)
	}
	return list
}

// newFamily makes a family. An error means that nothing is known about it.
func (l *lab) newFamily() (*family, error) {
	f := &family{id: fmt.Sprintf("f%d-%08x", l.made.Add(1), rand.Uint32())}
	var secret struct {
		Secret string `json:"client_secret"`
		ID     string `json:"secret_id"`
	}
	var partner struct {
		Token string `json:"token"`
		ID    string `json:"token_id"`
	}
	for _, step := range []struct {
		method, path string
		body         object
		into         any
	}{
		{"PUT", "/orgs/" + f.id, object{"name": "Org"}, nil},
		{"POST", "/clients", object{"client_id": f.id, "org_id": f.id, "scope": clientScope}, &secret},
		{"PUT", "/customers/" + f.id, f.customer(), nil},
		{"PUT", "/partners/" + f.id, object{"name": "Partner", "scope": partnerScope}, nil},
		{"POST", "/partners/" + f.id + "/tokens", object{"name": "it"}, &partner},
		{"PUT", "/partners/" + f.id + "/orgs/" + f.id, object{"scope": partnerScope}, nil},
	} {
		if err := l.any().admin(step.method, step.path, step.body, step.into); err != nil {
			return nil, err
		}
		// Each step by itself: one can be taken by a fault that another outlasts.
		f.ack()
		l.acknowledged.Add(1)
	}
	f.secret, f.secretID, f.partnerToken, f.partnerTokenID = secret.Secret, secret.ID, partner.Token, partner.ID
	return f, nil
}

// customer returns the customer with a number that no call before had.
func (f *family) customer() object {
	f.phones++
	return object{"org_id": f.id, "type": "individual", "phone": fmt.Sprintf("+1555555%04d", f.phones)}
}
