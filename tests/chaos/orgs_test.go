//go:build chaos

package chaos_test

import "errors"

// endOrg writes down that everything that belongs to the org has ended.
func (l *lab) endOrg(f *family, what string) (facts []*fact) {
	facts = append(facts, l.history.end("org: "+what, false, trySecret(f.id, f.secret)))
	if f.grantWorks() {
		facts = append(facts, l.history.end("org: "+what+", to its partner", false, tryGrant(f.partnerToken, f.id)))
	}
	l.endClientTokens("org "+what, f)
	l.endTokens("org "+what, &f.behalfTokens)
	return facts
}

func deactivateOrg(l *lab, f *family, r *replica) error {
	err := r.admin("POST", "/orgs/"+f.id+"/deactivate", nil, nil)
	if err == nil {
		f.offFacts = append(f.offFacts, l.endOrg(f, "deactivated")...)
		f.orgOff = true
	}
	return err
}

func reactivateOrg(l *lab, f *family, r *replica) error {
	l.lift(f)
	err := r.admin("POST", "/orgs/"+f.id+"/reactivate", nil, nil)
	if err == nil {
		f.orgOff = false
	}
	return err
}

func deleteOrg(l *lab, f *family, r *replica) error {
	var out struct {
		Deleted bool `json:"deleted"`
	}
	err := r.admin("DELETE", "/orgs/"+f.id+"?with_clients_and_customers=true", nil, &out)
	if err == nil && !out.Deleted {
		err = errors.New("the org is not deleted yet")
	}
	if err == nil {
		l.endOrg(f, "deleted")
		f.orgGone = true
	}
	return err
}

func withdraw(l *lab, f *family, r *replica) error {
	err := r.admin("DELETE", "/partners/"+f.id+"/orgs/"+f.id, nil, nil)
	if err == nil {
		f.grantGone = true
		l.history.end("grant: withdrawn", false, tryGrant(f.partnerToken, f.id))
		l.endTokens("grant withdrawn", &f.behalfTokens)
	}
	return err
}

func endPartnerToken(end func(f *family, r *replica) error) func(l *lab, f *family, r *replica) error {
	return func(l *lab, f *family, r *replica) error {
		err := end(f, r)
		if err == nil {
			f.partnerTokenGone = true
			l.history.end("partner token: revoked", false, tryPartnerToken(f.partnerToken))
			l.endTokens("partner token revoked", &f.behalfTokens)
		}
		return err
	}
}

func endPartner(method, path string) func(l *lab, f *family, r *replica) error {
	return func(l *lab, f *family, r *replica) error {
		err := r.admin(method, "/partners/"+f.id+path, nil, nil)
		if err == nil {
			f.partnerGone = true
			l.history.end("partner: "+method+path, false, tryPartnerToken(f.partnerToken))
			l.endTokens("partner ended", &f.behalfTokens)
		}
		return err
	}
}
