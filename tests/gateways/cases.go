package gateways

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/tests/harness"
)

// cases are the cases of one gateway that asks one of the deciders. They run one after
// the other.
type cases struct {
	*world
	decider
	g       Gateway
	api     *api
	link    *harness.Proxy // between the gateway and the decider
	address string         // of the gateway
	last    atomic.Int64
	names   map[string]bool // of the cases that ran
}

// decider is what a gateway asks.
type decider struct {
	name string
	asks string // its address
	// cannot are deciders of its kind that cannot decide.
	cannot []unable
	// elsewhere is what a caller gets if the token is bound to another address: the edge
	// does not tell it apart from a token that is not active.
	elsewhere refusal
}

// unable is a decider that cannot decide about a token, and why.
type unable struct{ why, address, token string }

type refusal struct {
	status    int
	challenge string
}

// deciders returns the server and its edge.
func (w *world) deciders() []decider {
	const broken = "the store fails"
	return []decider{
		{"edge", w.edge, []unable{{broken, w.brokenEdge, w.brokenToken}, {"the edge does not reach the server", w.lostEdge, w.good}}, refusal{401, invalid}},
		{"server", addressOf(w.server.URL), []unable{{broken, addressOf(w.broken.URL), w.brokenToken}}, refusal{403, lacking}},
	}
}

// newCases starts a gateway that asks the decider.
func (w *world) newCases(t testing.TB, g Gateway, d decider) *cases {
	t.Helper()
	c := &cases{world: w, decider: d, g: g, api: newAPI(t), link: harness.StartProxy(t, d.asks), names: map[string]bool{}}
	c.address = g.Start(t, Settings{Grantd: c.link.Addr, API: c.api.address, Certificate: w.certificate, Key: w.key})
	return c
}

// run runs all cases of a gateway.
func (w *world) run(t *testing.T, g Gateway, d decider) {
	c := w.newCases(t, g, d)
	for _, row := range c.table() {
		t.Run(row.name, func(t *testing.T) { c.check(t, row) })
	}
	t.Run("protocols", c.protocols)
	t.Run("asked", c.asked)
	t.Run("connections", c.connections)
	t.Run("revoked", c.revoked)
	t.Run("faults", c.faults)
	for _, q := range g.Quirks {
		for _, name := range q.Cases {
			if !c.names[name] {
				t.Errorf("a quirk has the case %q, which does not exist", name)
			}
		}
	}
}

func (c *cases) nextID() string { return fmt.Sprint(c.g.Name, "-", c.last.Add(1)) }

// status returns the status of the case, which may be another one at this gateway.
func (c *cases) status(name string, status int) int {
	c.names[name] = true
	for _, q := range c.g.Quirks {
		if slices.Contains(q.Cases, name) {
			return q.Status
		}
	}
	return status
}

// row is a case: what happens to a request.
type row struct {
	name string
	request
	status    int
	challenge string            // of the response; "": none
	stated    map[string]string // what the X-Auth headers tell the API, if the request reaches it
}

// The challenges of RFC 6750 §3.
const (
	plain   = `Bearer realm="grantd"`
	invalid = plain + `, error="invalid_token"`
	lacking = plain + `, error="insufficient_scope"`
)

// What the API learns about the tokens. It learns nothing else.
var (
	shop     = map[string]string{"Client-Id": "shop", "Subject": "client:shop", "Scope": "accounts cards", "Token-Use": "client", "Org-Id": org}
	customer = map[string]string{"Client-Id": "backend", "Subject": "customer:" + customerID, "Scope": "accounts cards", "Token-Use": "customer", "Customer-Id": customerID, "Org-Id": org}
	onBehalf = map[string]string{"Subject": "org:" + org, "Scope": "cards", "Token-Use": "on_behalf", "Org-Id": org, "Partner-Id": partner}
	nobody   = map[string]string{}
)

// check sends the request of a case, and compares the response and what the API got.
func (c *cases) check(t *testing.T, r row) {
	t.Helper()
	want := c.status(r.name, r.status)
	res, got := c.send(t, r.request)
	if res.Status != want {
		t.Fatalf("%d %.80q, want %d", res.Status, res.Body, want)
	}
	if want >= http.StatusBadRequest {
		if got != nil {
			t.Errorf("%d, and the API got %+v", res.Status, got)
		}
		if challenge := strings.Join(res.Header.Values("WWW-Authenticate"), " AND "); challenge != r.challenge && want == r.status {
			t.Errorf("challenge %q, want %q", challenge, r.challenge)
		}
		return
	}
	if got == nil {
		t.Fatalf("%d, and the API got nothing", res.Status)
	}
	got.check(t, r)
}

// check checks that the API got what the caller sent, and about the token what grantd
// said.
func (a arrived) check(t *testing.T, r row) {
	t.Helper()
	if a.times != 1 || a.method != or(r.method, http.MethodGet) || a.uri != or(r.path, "/cards/12") || a.host != hostName || a.body != int64(r.body) {
		t.Errorf("the API got %s %s of %s with %d bytes, %d times", a.method, a.uri, a.host, a.body, a.times)
	}
	for name, want := range map[string]string{"X-Forwarded-For": or(r.from, here), "X-Forwarded-Proto": "https"} {
		if value := strings.Join(a.header.Values(name), " AND "); value != want {
			t.Errorf("the API got %s: %q, want %s", name, value, want)
		}
	}
	stated := map[string]string{}
	for name, values := range a.header {
		// Some APIs take an underscore or a dot for a hyphen.
		rest, ok := strings.CutPrefix(strings.ToLower(hyphened.Replace(name)), "x-auth-")
		if value := strings.Join(values, " AND "); ok && value != "" {
			stated[http.CanonicalHeaderKey(rest)] += value
		}
		if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, forged) }) {
			t.Errorf("the API got %s: %v", name, values)
		}
	}
	if diff := cmp.Diff(r.stated, stated); diff != "" {
		t.Errorf("X-Auth headers (-want +got): %s", diff)
	}
}

var hyphened = strings.NewReplacer("_", "-", ".", "-")
