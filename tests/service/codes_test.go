package service_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// bank is an org with two backends and one customer, served by two replicas, and
// the receiver of the customer's codes. With the embedded store both replicas
// are the same server.
type bank struct {
	replicas [2]*harness.Server
	backends [2]clients.Created
	tokens   [2]string // of the backends
	phone    *phone
}

const customer = "10001"

// eachBank runs the test with two replicas on one Redis, and with one server on
// the embedded store.
func eachBank(t *testing.T, edit func(*config.Config), test func(t *testing.T, b *bank)) {
	for name, open := range map[string]func(*testing.T, func(*config.Config)) [2]*harness.Server{
		"redis": func(t *testing.T, edit func(*config.Config)) [2]*harness.Server {
			quick := func(c *config.Config) { c.Cache.MaxStaleness = 500 * time.Millisecond } // admin calls wait for it
			o := edits(harness.OnRedis(redistest.Start(t).Addr), quick, edit)
			return [2]*harness.Server{harness.Start(t, o), harness.Start(t, o)}
		},
		"embedded": func(t *testing.T, edit func(*config.Config)) [2]*harness.Server {
			s := harness.Start(t, edits(edit))
			return [2]*harness.Server{s, s}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bank{phone: newPhone(t)}
			b.replicas = open(t, func(c *config.Config) {
				b.phone.configure(c)
				if edit != nil {
					edit(c)
				}
			})
			b.admin(t, 0, http.MethodPut, "/orgs/acme", map[string]any{"name": "Acme"})
			b.admin(t, 0, http.MethodPut, "/customers/"+customer, map[string]any{"org_id": "acme", "type": "individual", "phone": "+15555550136"})
			for i := range b.backends {
				b.backends[i] = b.replicas[0].NewClient(t, fmt.Sprint("backend", i), "customers cards cards-write customer-token-write",
					func(s *clients.NewSpec) { s.OrgID = "acme" })
			}
			b.signIn(t)
			test(t, b)
		})
	}
}

// signIn gets new tokens for the backends, because the old ones may have expired.
func (b *bank) signIn(t *testing.T) {
	t.Helper()
	for i, c := range b.backends {
		b.tokens[i] = b.replicas[i].Token(t, c, "")
	}
}

// advance moves the clocks of all replicas forward.
func (b *bank) advance(t *testing.T, d time.Duration) {
	t.Helper()
	b.replicas[0].Clock.Add(d)
	if b.replicas[1] != b.replicas[0] {
		b.replicas[1].Clock.Add(d)
	}
	for _, s := range b.replicas {
		poll.Await(t, poll.Patience, "ready at the new time", func() string {
			req, err := http.NewRequest(http.MethodGet, s.URL+"/readyz", nil)
			if err != nil {
				t.Fatal(err)
			}
			if r := harness.Do(t, nil, req); r.Status != http.StatusOK {
				return r.Body
			}
			return ""
		})
	}
	b.signIn(t)
}

func (b *bank) admin(t *testing.T, at int, method, path string, body any) harness.Response {
	t.Helper()
	r := b.replicas[at].AdminDo(t, method, path, body)
	if r.Status >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, r.Status, r.Body)
	}
	return r
}

// post sends a document for the customer with the token of backend c to replica
// at. Several goroutines may call it.
func (b *bank) post(t *testing.T, at, c int, path, typ string, attributes map[string]any) harness.Response {
	body, err := json.Marshal(map[string]any{"data": map[string]any{"type": typ, "attributes": attributes}})
	if err != nil {
		t.Error(err)
		return harness.Response{}
	}
	req, err := http.NewRequest(http.MethodPost, b.replicas[at].URL+"/customers/"+customer+path, strings.NewReader(string(body)))
	if err != nil {
		t.Error(err)
		return harness.Response{}
	}
	req.Header.Set("Content-Type", "application/vnd.api+json")
	req.Header.Set("Authorization", "Bearer "+b.tokens[c])
	r, err := harness.Send(nil, req)
	if err != nil {
		t.Error(err)
	}
	return r
}

// ask requests a code.
func (b *bank) ask(t *testing.T, at, c int) harness.Response {
	return b.post(t, at, c, "/token/verification", "customerTokenVerification", map[string]any{"channel": "sms"})
}

// code is a verification and the code that the customer got.
type code struct {
	by           int // backend
	token, right string
}

// wrong returns a code that was not sent, a different one for each n.
func (c code) wrong(n int) string {
	sent, _ := strconv.Atoi(c.right)
	return fmt.Sprintf("%06d", (sent+1+n)%1_000_000)
}

func (b *bank) verification(t *testing.T, at, c int) code {
	t.Helper()
	r := b.ask(t, at, c)
	if r.Status != http.StatusCreated {
		t.Fatalf("verification: %d %s", r.Status, r.Body)
	}
	return b.remembered(t, r, c)
}

// guess submits a code to a replica.
func (b *bank) guess(t *testing.T, at int, v code, digits string) harness.Response {
	return b.post(t, at, v.by, "/token", "customerToken", map[string]any{"scope": "cards cards-write", "verificationToken": v.token, "verificationCode": digits})
}

// What a guess got.
const (
	right   = "right"
	looked  = "checked" // and wrong, used or expired
	waiting = "not checked"
	locked  = "locked"
)

func verdict(t *testing.T, r harness.Response) string {
	t.Helper()
	switch {
	case r.Status == http.StatusCreated:
		return right
	case r.Status == http.StatusBadRequest && strings.Contains(r.Body, `"code":"invalid_verification"`):
		return looked
	case r.Status == http.StatusTooManyRequests && r.Header.Get("Retry-After") != "":
		return waiting
	case r.Status == http.StatusForbidden && strings.Contains(r.Body, `"code":"access_denied"`):
		return locked
	}
	t.Errorf("%d %s", r.Status, r.Body)
	return ""
}

// atOnce calls do n times at the same time and counts the results.
func atOnce(n int, do func(i int) string) map[string]int {
	counts := map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			came := do(i)
			mu.Lock()
			defer mu.Unlock()
			counts[came]++
		})
	}
	all.Wait()
	return counts
}

// phone is the receiver to which grantd posts the codes.
type phone struct {
	*httptest.Server
	key string

	mu    sync.Mutex
	codes map[string]string // by message id
}

func newPhone(t *testing.T) *phone {
	t.Helper()
	p := &phone{key: filepath.Join(t.TempDir(), "webhook.key"), codes: map[string]string{}}
	if err := os.WriteFile(p.key, []byte("the key that both sides have, 32 bytes or more"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct{ ID, Code string }
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.codes[m.ID] = m.Code
	}))
	t.Cleanup(p.Close)
	return p
}

// configure makes grantd post codes here, without limits.
func (p *phone) configure(c *config.Config) {
	c.Customers.Sender = "webhook"
	c.Customers.Webhook.URL, c.Customers.Webhook.SecretFile, c.Customers.Webhook.AllowPrivateAddresses = p.URL, p.key, true
	c.Limits.CodesPerPhone.Count, c.Limits.CodesPerCustomer.Count, c.Limits.CodesPerClient.Count, c.Limits.CodesPerOrg.Count = 0, 0, 0, 0
}

// code returns the code that was sent for the verification.
func (p *phone) code(t *testing.T, token string) string {
	t.Helper()
	digest := sha256.Sum256([]byte(token))
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.codes[hex.EncodeToString(digest[:16])]
	if c == "" {
		t.Fatal("nothing was sent for this verification")
	}
	return c
}

func (p *phone) sent() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.codes)
}

// Fifty right submissions of one code at the same time make one token.
func TestFiftyRightCodesAtOnce(t *testing.T) {
	t.Parallel()
	eachBank(t, nil, func(t *testing.T, b *bank) {
		for round := range 5 {
			v := b.verification(t, round%2, round%2)
			got := atOnce(50, func(i int) string { return verdict(t, b.guess(t, i%2, v, v.right)) })
			if got[right] != 1 || got[right]+got[looked]+got[waiting] != 50 {
				t.Errorf("round %d: %v", round, got)
			}
			// None of them counts as wrong: the next code works at once.
			next := b.verification(t, 0, 0)
			if came := verdict(t, b.guess(t, 1, next, next.right)); came != right {
				t.Errorf("round %d: the next code is %s", round, came)
			}
		}
	})
}

// Five wrong codes end a verification, whichever replicas get them.
func TestFiveWrongCodesOverTwoReplicas(t *testing.T) {
	t.Parallel()
	eachBank(t, nil, func(t *testing.T, b *bank) {
		v, spare := b.verification(t, 0, 0), b.verification(t, 1, 0)
		for i := range 5 {
			if came := verdict(t, b.guess(t, i%2, v, v.wrong(i))); came != looked {
				t.Errorf("guess %d: %s", i+1, came)
			}
		}
		for at := range b.replicas {
			if came := verdict(t, b.guess(t, at, v, v.right)); came != looked {
				t.Errorf("the right code after five wrong ones: %s", came)
			}
		}
		if came := verdict(t, b.guess(t, 1, spare, spare.right)); came != right {
			t.Errorf("another verification: %s", came)
		}
	})
}

// A phone number gets five codes in ten minutes, whichever replicas are asked.
func TestCodesOverTwoReplicas(t *testing.T) {
	t.Parallel()
	five := func(c *config.Config) { c.Limits.CodesPerPhone = config.Limit{Count: 5, Per: 10 * time.Minute} }
	eachBank(t, five, func(t *testing.T, b *bank) {
		got := atOnce(20, func(i int) string { return strconv.Itoa(b.ask(t, i%2, i/2%2).Status) })
		if got["201"] != 5 || got["429"] != 15 || b.phone.sent() != 5 {
			t.Errorf("statuses %v, %d codes were sent; want 5 of 20", got, b.phone.sent())
		}
		for at := range b.replicas {
			r := b.ask(t, at, 0)
			if wait, err := strconv.Atoi(r.Header.Get("Retry-After")); r.Status != http.StatusTooManyRequests || err != nil || wait < 1 || wait > 600 {
				t.Errorf("%d, Retry-After %q", r.Status, r.Header.Get("Retry-After"))
			}
		}
		if b.phone.sent() != 5 {
			t.Errorf("%d codes were sent", b.phone.sent())
		}
	})
}

// guide returns what APP_GUIDE.md says about an attacker: how many guesses they
// have in a day, at worst in any 24 hours, and in a row.
func guide(t *testing.T) (day, worst, row int) {
	t.Helper()
	text, err := os.ReadFile("../../server/customers/APP_GUIDE.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`get \*\*(\d+)\*\* codes wrong in a day,[^*]*at most \*\*(\d+)\*\* in any 24\s+hours[^*]*and \*\*(\d+)\*\* in a row`).FindSubmatch(text)
	if m == nil {
		t.Fatal("APP_GUIDE.md does not say how many guesses an attacker has")
	}
	for i, n := range []*int{&day, &worst, &row} {
		if *n, err = strconv.Atoi(string(m[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	return day, worst, row
}

// An attacker with the tokens of two backends and any number of codes has as many
// guesses at a customer as APP_GUIDE.md says.
func TestGuessesOfAnAttacker(t *testing.T) {
	t.Parallel()
	day, worst, row := guide(t)
	eachBank(t, nil, func(t *testing.T, b *bank) {
		// attack guesses n times at the same time, each time at another
		// verification that has at least four tries left.
		attack := func(n int) map[string]int {
			t.Helper()
			all := make([]code, n)
			for i := range all {
				r := b.ask(t, i%2, i/2%2)
				if r.Status != http.StatusCreated { // no more codes: guess at the earlier ones
					all = all[:i]
					break
				}
				all[i] = b.remembered(t, r, i/2%2)
			}
			if len(all) == 0 {
				all = []code{{by: 0, token: "made-up", right: "000000"}}
			}
			return atOnce(n, func(i int) string {
				v := all[i%len(all)]
				return verdict(t, b.guess(t, i%2, v, v.wrong(i/len(all))))
			})
		}
		if got := attack(1); got[looked] != 1 {
			t.Fatalf("the first guess: %v", got)
		}
		b.advance(t, 24*time.Hour-time.Minute)
		spare := b.verification(t, 0, 0)
		got := attack(2 * day)
		if got[looked] != day-1 || got[waiting] != day+1 {
			t.Errorf("guesses 2 to %d: %v", 2*day+1, got)
		}
		for at := range b.replicas {
			if came := verdict(t, b.guess(t, at, spare, spare.right)); came != waiting {
				t.Errorf("the right code after %d wrong ones: %s", day, came)
			}
		}
		b.advance(t, time.Minute+time.Second)
		within := got[looked]
		got = attack(2 * day)
		if within += got[looked]; got[looked] != day || within != worst {
			t.Errorf("the next day: %v; %d within 24 hours, the guide says %d", got, within, worst)
		}
		total := 2 * day
		for total < row {
			b.advance(t, 24*time.Hour+time.Second)
			got = attack(day)
			if got[looked] != day {
				t.Fatalf("after %d: %v", total, got)
			}
			total += got[looked]
		}
		if total != row {
			t.Errorf("%d guesses in a row, the guide says %d", total, row)
		}
		b.advance(t, 48*time.Hour)
		for at := range b.replicas {
			if r := b.ask(t, at, at); r.Status != http.StatusForbidden {
				t.Errorf("a code for a locked customer: %d %s", r.Status, r.Body)
			}
			if came := verdict(t, b.guess(t, at, spare, spare.right)); came != locked {
				t.Errorf("a guess at a locked customer: %s", came)
			}
		}
		b.admin(t, 1, http.MethodPost, "/customers/"+customer+"/reset-codes", nil)
		v := b.verification(t, 0, 0)
		if came := verdict(t, b.guess(t, 1, v, v.right)); came != right {
			t.Errorf("after an operator has reset the codes: %s", came)
		}
	})
}

// remembered returns the verification that backend c got in r.
func (b *bank) remembered(t *testing.T, r harness.Response, c int) code {
	t.Helper()
	_, rest, _ := strings.Cut(r.Body, `"verificationToken":"`)
	token, _, _ := strings.Cut(rest, `"`)
	return code{c, token, b.phone.code(t, token)}
}
