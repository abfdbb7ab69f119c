package protocol_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/tests/harness"
)

// world is a server with the clients that most rows need. It knows every
// secret and token that was issued or sent, and looks for them in everything
// that the server leaves behind.
type world struct {
	*harness.Server
	store *storetest.Faulty // nil if the harness opened the store
	app   clients.Created   // an ordinary client
	other clients.Created   // another one
	rs    clients.Created   // a resource server
	phone *telephone        // nil if no codes are sent

	mu      sync.Mutex
	secrets map[string]bool
}

// appScope is what app and other may have.
const appScope = "users:read users:write"

// newWorld starts a server with the usual clients, on an embedded store that
// can be made to fail.
func newWorld(t *testing.T, edit ...func(*config.Config)) *world {
	t.Helper()
	w := newWorldWithout(t, edit...)
	w.populate(t)
	return w
}

func (w *world) populate(t *testing.T) {
	t.Helper()
	w.app = w.client(t, "app", appScope)
	w.other = w.client(t, "other", appScope)
	w.rs = w.client(t, "rs", "introspect")
}

// newWorldWithout is newWorld without the clients.
func newWorldWithout(t *testing.T, edit ...func(*config.Config)) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "grantd-protocol-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var clock atomic.Pointer[harness.Clock] // the server's, once there is one
	now := func() time.Time {
		if c := clock.Load(); c != nil {
			return c.Now()
		}
		return time.Now()
	}
	inner, err := embedded.Open(embedded.Options{Path: dir, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	faulty := storetest.NewFaulty(inner)
	var w *world
	t.Cleanup(func() {
		if w != nil {
			w.holdsNoSecret(t, "store file", readFile(t, filepath.Join(dir, "grantd.db")))
		}
	})
	w = startWorld(t, func(o ...harness.Options) *harness.Server { return harness.Start(t, o...) },
		harness.Options{Use: faulty, Edit: edits(edit)})
	clock.Store(w.Clock)
	w.store = faulty
	return w
}

// startWorld makes a world without clients around the server that start starts.
func startWorld(t *testing.T, start func(...harness.Options) *harness.Server, o harness.Options) *world {
	t.Helper()
	edit := o.Edit
	o.Edit = func(c *config.Config) {
		// These tests are about the protocol; limits have their own.
		c.Limits.AuthFailuresPerAddress.Count = 0
		c.Limits.AuthFailuresPerClientAndAddress.Count = 0
		if edit != nil {
			edit(c)
		}
	}
	w := &world{Server: start(o), secrets: map[string]bool{}}
	t.Cleanup(func() {
		if w.store != nil { // otherwise it may be gone
			w.tellsNothing(t, "audit", w.audit(t))
		}
		w.Close()
		w.tellsNothing(t, "log", w.Logs.String())
	})
	return w
}

// audit returns the newest events, even when the test is over.
func (w *world) audit(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://grantd/admin/v1/audit?limit=500", nil)
	if err != nil {
		t.Fatal(err)
	}
	return harness.Do(t, w.Admin, req).Body
}

func edits(all []func(*config.Config)) func(*config.Config) {
	return func(c *config.Config) {
		for _, e := range all {
			e(c)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// client creates a client and remembers its secret.
func (w *world) client(t *testing.T, id, scope string, edit ...func(*clients.NewSpec)) clients.Created {
	t.Helper()
	c := w.NewClient(t, id, scope, edit...)
	w.keep(c.ClientSecret)
	return c
}

// rotate gives the client a new secret.
func (w *world) rotate(t *testing.T, c clients.Created, grace time.Duration) clients.Created {
	t.Helper()
	r, err := w.Clients().Rotate(t.Context(), audit.Actor{Name: "test"}, c.ClientID, grace)
	if err != nil {
		t.Fatal(err)
	}
	w.keep(r.ClientSecret)
	c.ClientSecret, c.SecretID = r.ClientSecret, r.SecretID
	return c
}

// token gets a token and remembers it.
func (w *world) token(t *testing.T, c clients.Created, scope string) string {
	t.Helper()
	token := w.Token(t, c, scope)
	w.keep(token)
	return token
}

// planted returns a token of app after edit has rewritten its record.
func (w *world) planted(t *testing.T, edit func(*store.Token)) string {
	t.Helper()
	token := w.token(t, w.app, "")
	d := tokens.DigestOf(token)
	rec, err := w.store.GetToken(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	edit(&rec)
	if err := w.store.ReplaceToken(t.Context(), d, rec); err != nil {
		t.Fatal(err)
	}
	return token
}

// introspect reports whether the token is active for rs.
func (w *world) introspect(t *testing.T, rs clients.Created, token string, more ...string) bool {
	t.Helper()
	r := w.send(t, form("/oauth/introspect", "token="+url.QueryEscape(token)+strings.Join(more, ""), basic(rs)))
	active, ok := r.JSON(t)["active"].(bool)
	if r.Status != 200 || !ok {
		t.Fatalf("introspection: %d %s", r.Status, r.Body)
	}
	if !active && r.Body != inactive {
		t.Errorf("the response tells more about an inactive token: %s", r.Body)
	}
	return active
}

// inactive is the whole response about a token that is not active (RFC 7662
// §2.2).
const inactive = `{"active":false}`

// keep remembers values that must not show up anywhere. It skips short ones,
// which would be found by chance.
func (w *world) keep(values ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range values {
		if len(v) >= 8 {
			w.secrets[v] = true
		}
	}
}

// tellsNothing is holdsNoSecret for what operators read, which must also hold
// no codes and no complete phone numbers.
func (w *world) tellsNothing(t *testing.T, where, text string) {
	t.Helper()
	w.holdsNoSecret(t, where, text)
	if w.phone != nil {
		w.phone.holdsNoCode(t, where, text)
	}
}

// holdsNoSecret fails the test if text holds one of the remembered values.
func (w *world) holdsNoSecret(t *testing.T, where, text string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for v := range w.secrets {
		if i := strings.Index(text, v); i >= 0 {
			t.Errorf("%s holds a secret or token %q: …%.120s", where, v, text[max(0, i-60):])
		}
	}
}
