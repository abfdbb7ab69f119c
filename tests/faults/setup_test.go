package faults_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

const (
	// staleness is cache.max_staleness of the servers here.
	staleness = 500 * time.Millisecond
	// answerTime is how long any answer may take, whatever Redis does.
	answerTime = 5 * time.Second
	// recovery is how long full service may take once Redis is back.
	recovery = 2 * time.Second
	// patience bounds waits that are not themselves the promise under test.
	patience = 15 * time.Second
	pause    = 5 * time.Millisecond
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m, 6)) }

// world is one grantd that reaches its Redis through a proxy.
type world struct {
	addr  string
	redis *harness.Redis // not through the proxy
	link  *harness.Proxy
	s     *harness.Server
	rs, c clients.Created

	mu   sync.Mutex
	live []string // tokens that are active; the first one is cached
	made int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	x := &world{addr: redistest.Start(t).Addr}
	x.redis = harness.DialRedis(t, x.addr)
	x.link = harness.StartProxy(t, x.addr)
	x.s = harness.Start(t, harness.Options{Edit: func(c *config.Config) {
		harness.OnRedis(x.link.Addr)(c)
		c.Cache.MaxStaleness = staleness
	}})
	x.rs, x.c = x.s.NewClient(t, "rs", "introspect"), x.s.NewClient(t, "c", "users:read")
	for range 3 {
		x.live = append(x.live, x.s.Token(t, x.c, ""))
	}
	if r := x.s.Introspect(t, x.rs, x.live[0]); r.JSON(t)["active"] != true {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	return x
}

// answer is one answer and how long it took.
type answer struct {
	status int
	header http.Header
	body   string
	took   time.Duration
}

func (a answer) String() string { return fmt.Sprintf("%d %s after %v", a.status, a.body, a.took) }

func (a answer) active() bool { return a.status == 200 && strings.Contains(a.body, `"active":true`) }

func (a answer) inactive() bool { return a.status == 200 && a.body == `{"active":false}` }

// down says what is wrong with it as a refusal for want of a store; "" if
// nothing.
func (a answer) down() string {
	var body map[string]string
	switch {
	case a.status != 503:
		return "want 503"
	case a.header.Get("Retry-After") != "1":
		return "Retry-After is " + a.header.Get("Retry-After")
	case json.Unmarshal([]byte(a.body), &body) != nil || body["error"] != "temporarily_unavailable":
		return "want the error temporarily_unavailable"
	}
	return ""
}

// do sends a request; it may be used by several goroutines.
func do(t testing.TB, c *http.Client, req *http.Request) answer {
	began := time.Now()
	res, err := c.Do(req)
	if err != nil {
		t.Errorf("%s %s: %v", req.Method, req.URL, err)
		return answer{}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("%s %s: %v", req.Method, req.URL, err)
	}
	a := answer{res.StatusCode, res.Header, string(b), time.Since(began)}
	if a.took > answerTime {
		t.Errorf("%s %s: %v", req.Method, req.URL, a)
	}
	return a
}

func (x *world) form(t testing.TB, path, id, secret string, form url.Values) answer {
	req, err := http.NewRequest(http.MethodPost, x.s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Error(err)
		return answer{}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(id, secret)
	return do(t, http.DefaultClient, req)
}

func (x *world) issue(t testing.TB, secret string) answer {
	return x.form(t, "/oauth/token", "c", secret, url.Values{"grant_type": {"client_credentials"}})
}

func (x *world) introspect(t testing.TB, token string) answer {
	return x.form(t, "/oauth/introspect", "rs", x.rs.ClientSecret, url.Values{"token": {token}})
}

func (x *world) revoke(t testing.TB, token string) answer {
	return x.form(t, "/oauth/revoke", "c", x.c.ClientSecret, url.Values{"token": {token}})
}

func (x *world) admin(t testing.TB, method, path string, body any) answer {
	b, err := json.Marshal(body)
	if err != nil {
		t.Error(err)
	}
	req, err := http.NewRequest(method, "http://grantd/admin/v1"+path, bytes.NewReader(b))
	if err != nil {
		t.Error(err)
		return answer{}
	}
	if body == nil {
		req.Body = http.NoBody
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	return do(t, x.s.Admin, req)
}

func (x *world) get(t testing.TB, path string) answer {
	req, err := http.NewRequest(http.MethodGet, x.s.URL+path, nil)
	if err != nil {
		t.Error(err)
		return answer{}
	}
	return do(t, http.DefaultClient, req)
}

// newID is a client id that was not used yet.
func (x *world) newID() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.made++
	return fmt.Sprint("made", x.made)
}

// stays checks that a live token is active, or not answered.
func (x *world) stays(t testing.TB, token, what string) answer {
	a := x.introspect(t, token)
	if !a.active() && a.down() != "" {
		t.Errorf("a live token, %s: %v", what, a)
	}
	return a
}
