package guarded_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// end is one way to end tokens.
type end struct {
	name  string
	do    func(r *replica, f *family) error
	which func(f *family) []*token // the tokens that end
}

// onAdmin ends by a call of the admin API; %s in the path is the id of the family.
func onAdmin(method, path string) func(*replica, *family) error {
	return func(r *replica, f *family) error { return r.admin(method, fmt.Sprintf(path, f.id), nil, nil) }
}

func onlyToken(f *family) []*token    { return []*token{f.token, f.customer} } // a customer token ends with the token that made it
func ofCustomer(f *family) []*token   { return []*token{f.customer} }
func ofBehalf(f *family) []*token     { return []*token{f.behalf} }
func ofKey(f *family) []*token        { return []*token{f.key} }
func ofEverything(f *family) []*token { return f.all() }

var ends = []end{
	{"the token is revoked", func(r *replica, f *family) error { return revoke(r, f.client, f.token) }, onlyToken},
	{"the customer's token is revoked", func(r *replica, f *family) error { return revoke(r, f.client, f.customer) }, ofCustomer},
	{"the client is voided", onAdmin("POST", "/clients/%s/void-tokens"), onlyToken},
	{"the client is deactivated", onAdmin("POST", "/clients/%s/deactivate"), onlyToken},
	{"the client is deleted", onAdmin("DELETE", "/clients/%s"), onlyToken},
	{"the secret is revoked", func(r *replica, f *family) error {
		return r.admin("DELETE", "/clients/"+f.id+"/secrets/"+f.client.SecretID+"?void_tokens=true", nil, nil)
	}, onlyToken},
	{"the secret has leaked", func(r *replica, f *family) error {
		return r.admin("POST", "/leaks", object{"credential": f.client.Secret}, nil)
	}, onlyToken},
	{"the customer is voided", onAdmin("POST", "/customers/%s/void-tokens"), ofCustomer},
	{"the customer is deactivated", onAdmin("POST", "/customers/%s/deactivate"), ofCustomer},
	{"the customer is deleted", onAdmin("DELETE", "/customers/%s"), ofCustomer},
	{"the grant is withdrawn", onAdmin("DELETE", "/partners/%[1]s/orgs/%[1]s"), ofBehalf},
	{"the partner's token is revoked", func(r *replica, f *family) error {
		return r.admin("DELETE", "/partners/"+f.id+"/tokens/"+f.partnerTokenID, nil, nil)
	}, ofBehalf},
	{"the partner is deactivated", onAdmin("POST", "/partners/%s/deactivate"), ofBehalf},
	{"the key is revoked", func(r *replica, f *family) error { return r.admin("DELETE", "/keys/"+f.keyID, nil, nil) }, ofKey},
	{"the org is voided", onAdmin("POST", "/orgs/%s/void-tokens"), ofEverything},
	{"the org is deactivated", onAdmin("POST", "/orgs/%s/deactivate"), ofEverything},
	{"the org is deleted", onAdmin("DELETE", "/orgs/%s?with_clients_and_customers=true"), ofEverything},
}

// TestEveryEnd ends tokens in each way there is. What ends is refused within the bound,
// and what belongs to others is not. At last, everything ends at once.
func TestEveryEnd(t *testing.T) {
	l := newLab(t, 0, 0)
	families := make([]*family, len(ends))
	errs := make([]error, len(ends))
	var made sync.WaitGroup
	for i := range ends {
		made.Go(func() { families[i], errs[i] = l.newFamily(fmt.Sprintf("f%d", i)) })
	}
	made.Wait()
	p := &pool{}
	for i, f := range families {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		p.live = append(p.live, f.all()...)
	}
	all := p.live
	l.know(t, all)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	load.Go(func() { l.load(ctx, faultRate, p.next) })
	defer load.Wait()
	defer stop()

	var running sync.WaitGroup
	for i, e := range ends {
		running.Go(func() {
			l.endAndProbe(t, e.name, e.which(families[i]), func() error { return e.do(l.replicas[i%2], families[i]) })
		})
	}
	running.Wait()
	l.endAndProbe(t, "everything is void", all, func() error {
		return l.replicas[1].admin(http.MethodPost, "/tokens/void-all", nil, nil)
	})
	stop()
	load.Wait()
	l.await(t, "everything is refused", recovery, refused, all)
	l.report(t, l.targets, all)
}

// endAndProbe ends tokens, and asks each target about them until it refuses them. The
// ledger has the faults.
func (l *lab) endAndProbe(t *testing.T, what string, tokens []*token, do func() error) {
	if err := l.end(tokens, do); err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	for give := time.Now().Add(2 * bound); time.Now().Before(give); time.Sleep(l.probe) { // between two probes
		left := 0
		for _, at := range l.targets {
			for _, k := range tokens {
				if l.ask(at, k) != refused {
					left++
				}
			}
		}
		if left == 0 {
			return
		}
	}
	t.Errorf("%s: tokens are not refused", what)
}
