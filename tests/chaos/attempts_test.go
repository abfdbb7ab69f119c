//go:build chaos

package chaos_test

import (
	"net/url"
	"slices"
)

// verdict is what an attempt to get something led to.
type verdict int

const (
	unsure  verdict = iota // no response, or 503
	moot                   // what it takes to try is gone
	gets                   // it got something
	refused                // it was refused as it should be once it has ended
)

func (v verdict) String() string {
	return [...]string{"no clear response", "what it takes to try is gone", "it works", "refused"}[v]
}

// attempt tries at a replica whether a principal gets something.
type attempt func(r *replica) verdict

// judge returns the verdict of a request that is refused with one of the statuses.
func judge(err error, refusals ...int) verdict {
	switch status := statusOf(err); {
	case err == nil:
		return gets
	case slices.Contains(refusals, status):
		return refused
	}
	return unsure
}

// issue requests a token; scope "" is the client's default.
func issue(r *replica, id, secret, scope string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if scope != "" {
		form.Set("scope", scope)
	}
	var out struct {
		Token string `json:"access_token"`
	}
	err := r.form("/oauth/token", id, secret, form, &out)
	return out.Token, err
}

// trySecret gets a token with a secret.
func trySecret(id, secret string) attempt {
	return func(r *replica) verdict {
		_, err := issue(r, id, secret, "")
		return judge(err, 401)
	}
}

// tryScope gets a token with a scope.
func tryScope(id, secret, scope string) attempt {
	return func(r *replica) verdict {
		_, err := issue(r, id, secret, scope)
		return judge(err, 400, 401)
	}
}

// tryToken introspects a token.
func (l *lab) tryToken(token string) attempt {
	return func(r *replica) verdict {
		var out struct {
			Active bool `json:"active"`
		}
		err := r.form("/oauth/introspect", l.rs.id, l.rs.secret, url.Values{"token": {token}}, &out)
		switch {
		case err != nil:
			return needed(err)
		case out.Active:
			return gets
		}
		return refused
	}
}

// needed returns the verdict if a request failed that comes before the one that
// counts.
func needed(err error) verdict {
	if statusOf(err) == 401 {
		return moot
	}
	return unsure
}

// tryPartnerToken lists the orgs of a partner.
func tryPartnerToken(token string) attempt {
	return func(r *replica) verdict { return judge(r.get(token, "/partners/orgs"), 401) }
}

// tryGrant makes a token on behalf of an org.
func tryGrant(token, org string) attempt {
	return func(r *replica) verdict {
		_, err := onBehalf(r, token, org)
		return judge(err, 401, 403)
	}
}

func onBehalf(r *replica, token, org string) (string, error) {
	return r.document(token, "/partners/token", "createOnBehalfToken", object{"orgId": org, "scopes": "cards"}, "token")
}

func customerToken(r *replica, bearer, customer string) (string, error) {
	return r.document(bearer, "/customers/"+customer+"/token", "customerToken", object{"scope": "cards"}, "token")
}

// tryCustomer makes a customer token with a new token of the client.
func tryCustomer(id, secret, customer string) attempt {
	return func(r *replica) verdict {
		bearer, err := issue(r, id, secret, "")
		if err != nil {
			return needed(err)
		}
		_, err = customerToken(r, bearer, customer)
		return judge(err, 404)
	}
}

// tryCode uses a code that was sent.
func tryCode(id, secret, customer, verification string) attempt {
	return func(r *replica) verdict {
		bearer, err := issue(r, id, secret, "")
		if err != nil {
			return needed(err)
		}
		_, err = r.document(bearer, "/customers/"+customer+"/token", "customerToken", object{
			"scope": "cards cards-write", "verificationToken": verification, "verificationCode": code,
		}, "token")
		return judge(err, 400, 401, 403, 404)
	}
}
