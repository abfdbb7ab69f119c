package copies_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/grantd/grantd/server"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/tests/harness"
)

// secret is a secret of a client, and what was acknowledged about it.
type secret struct {
	client, plain string
	tokens        []*token
	gone          string // what ended it: "" nothing
}

type token struct {
	plain string
	dead  bool
}

// history makes random changes through the admin API and the endpoints of a server,
// and keeps what was acknowledged.
type history struct {
	t       *testing.T
	s       *harness.Server
	random  *rand.Rand
	rs      clients.Created
	n       int
	secrets []*secret
}

func newHistory(t *testing.T, s *harness.Server) *history {
	return &history{t: t, s: s, random: rand.New(rand.NewPCG(1, uint64(rand.Uint32()))), rs: s.NewClient(t, "rs", "introspect")}
}

// run makes n changes. A request that is refused fails the test.
func (h *history) run(n int, prefix string) {
	for range n {
		live := h.live()
		if len(live) < 4 {
			h.create(prefix)
			continue
		}
		x := live[h.random.IntN(len(live))]
		switch h.random.IntN(10) {
		case 0, 1:
			h.create(prefix)
		case 2:
			h.rotate(x)
		case 3:
			h.end(x, "/deactivate")
		case 4:
			h.end(x, "")
		case 5:
			h.admin(http.MethodPost, "/clients/"+x.client+"/void-tokens", nil)
			h.endTokens(x.client)
		case 6:
			h.revoke(x)
		default:
			h.issue(x)
		}
	}
}

func (h *history) live() (list []*secret) {
	for _, x := range h.secrets {
		if x.gone == "" {
			list = append(list, x)
		}
	}
	return list
}

func (h *history) admin(method, path string, body any) harness.Response {
	r, err := h.s.TryAdmin(method, path, body)
	if err != nil || r.Status/100 != 2 {
		h.t.Errorf("%s %s: %v %v", method, path, r, err)
	}
	return r
}

func (h *history) create(prefix string) {
	h.n++
	id := fmt.Sprintf("%s%d", prefix, h.n)
	r := h.admin(http.MethodPost, "/clients", map[string]any{"client_id": id, "scope": "users:read"})
	plain, _ := r.JSON(h.t)["client_secret"].(string)
	h.secrets = append(h.secrets, &secret{client: id, plain: plain})
}

func (h *history) rotate(x *secret) {
	r := h.admin(http.MethodPost, "/clients/"+x.client+"/secrets", map[string]any{"grace": "0s"})
	plain, _ := r.JSON(h.t)["client_secret"].(string)
	x.gone = "rotation"
	h.secrets = append(h.secrets, &secret{client: x.client, plain: plain})
}

// end deactivates or deletes the client.
func (h *history) end(x *secret, how string) {
	method := http.MethodPost
	if how == "" {
		method = http.MethodDelete
	}
	h.admin(method, "/clients/"+x.client+how, nil)
	for _, y := range h.secrets {
		if y.client == x.client {
			y.gone = "end of the client"
		}
	}
	h.endTokens(x.client)
}

func (h *history) issue(x *secret) {
	plain, r, err := h.s.TryToken(x.client, x.plain)
	if err != nil || plain == "" {
		h.t.Errorf("token of %s: %v %v", x.client, r, err)
		return
	}
	x.tokens = append(x.tokens, &token{plain: plain})
}

func (h *history) revoke(x *secret) {
	for _, k := range x.tokens {
		if !k.dead {
			r, err := h.s.TryForm("/oauth/revoke", x.client, x.plain, url.Values{"token": {k.plain}})
			if err != nil || r.Status != http.StatusOK {
				h.t.Errorf("revoke: %v %v", r, err)
			}
			k.dead = true
			return
		}
	}
}

func (h *history) endTokens(client string) {
	for _, x := range h.secrets {
		for _, k := range x.tokens {
			k.dead = k.dead || x.client == client
		}
	}
}

// authenticates reports whether the server accepts the secret.
func authenticates(t *testing.T, s *harness.Server, x *secret) bool {
	t.Helper()
	plain, r, err := s.TryToken(x.client, x.plain)
	if err != nil || plain == "" && r.Status != http.StatusUnauthorized {
		t.Fatalf("%s: %v %v", x.client, r, err)
	}
	return plain != ""
}

// checkTokens fails for each token that is active though dead or though allDead, and
// for each that is inactive otherwise.
func (h *history) checkTokens(s *harness.Server, allDead bool) {
	h.t.Helper()
	for _, x := range h.secrets {
		for _, k := range x.tokens {
			if active := s.Introspect(h.t, h.rs, k.plain).Active(); active == (k.dead || allDead) {
				h.t.Errorf("a token of %s is active: %t, dead: %t", x.client, active, k.dead)
			}
		}
	}
}

// checkHeldBack checks that nobody gets anything after a restore, whether it was
// ended since the backup or not, until an operator releases the clients.
func checkHeldBack(t *testing.T, s *harness.Server, secrets []*secret) {
	t.Helper()
	for _, x := range secrets {
		if authenticates(t, s, x) {
			t.Errorf("the secret of %s authenticates before anybody has looked; ended by %q", x.client, x.gone)
		}
	}
	if r := s.AdminDo(t, http.MethodPost, "/store/release", map[string]any{"kind": "client", "all": true}); r.Status != http.StatusNoContent {
		t.Fatal(r)
	}
}

// TestHistory makes random changes, then moves the store: what was alive is alive,
// and what was ended is not.
func TestHistory(t *testing.T) {
	eachPair(t, func(t *testing.T, from, to place) {
		s := from.start(t)
		h := newHistory(t, s)
		h.run(60, "c")
		s.Close()
		if _, err := server.MigrateStore(t.Context(), from.configuration(), to.configuration(), false, options); err != nil {
			t.Fatal(err)
		}
		s = to.start(t)
		h.s = s
		h.checkTokens(s, false)
		for _, x := range h.secrets {
			if got := authenticates(t, s, x); got != (x.gone == "") {
				t.Errorf("the secret of %s authenticates: %t, but it was ended by %q", x.client, got, x.gone)
			}
		}
		h.run(40, "d") // and it goes on
		h.checkTokens(s, false)
	})
}

// TestHistoryOfRestore makes random changes before, while and after a backup is made,
// and restores it: nothing that was acknowledged before the backup began is lost,
// nothing that was ended before it is alive, and nobody gets anything before an
// operator has looked for what was ended since.
func TestHistoryOfRestore(t *testing.T) {
	eachPair(t, func(t *testing.T, from, to place) {
		s := from.start(t)
		h := newHistory(t, s)
		h.run(60, "c")
		goneBefore := map[*secret]bool{}
		before := h.secrets
		for _, x := range before {
			goneBefore[x] = x.gone != ""
		}
		var meanwhile sync.WaitGroup
		meanwhile.Go(func() { h.run(20, "d") })
		path := save(t, s)
		meanwhile.Wait()
		h.run(30, "e")
		s.Close()
		to.restore(t, path)
		s = to.start(t)
		checkHeldBack(t, s, h.secrets)
		h.checkTokens(s, true)
		for _, x := range before {
			switch got := authenticates(t, s, x); {
			case goneBefore[x] && got:
				t.Errorf("the secret of %s was ended before the backup by %q, and authenticates after the restore", x.client, x.gone)
			case x.gone == "" && !got:
				t.Errorf("the secret of %s was there before the backup, and is lost", x.client)
			}
		}
		events := s.AdminDo(t, http.MethodGet, "/audit?limit=500", nil).Body
		for _, x := range before {
			if !strings.Contains(events, `"target":"client:`+x.client+`"`) {
				t.Errorf("the audit does not have the creation of %s", x.client)
			}
		}
	})
}
