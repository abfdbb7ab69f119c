package deploy

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// unmade are metrics whose situation this test does not make: codes that are sent and
// guessed, notices, listeners with TLS, and traces. A query of them may be empty.
var unmade = regexp.MustCompile(`grantd_(codes|customers_locked|notices|tls|connections_refused|edge_connections_refused|trace)_`)

// watched starts a grantd that Prometheus can scrape, with an edge, and gives both
// something to count.
func watched(t *testing.T, edit func(*config.Config)) (target, beside string, traffic func()) {
	t.Helper()
	s := harness.Start(t, harness.Options{Edit: func(c *config.Config) {
		c.Metrics.Listen = "127.0.0.1:0"
		c.Limits.AuthFailuresPerClientAndAddress = config.Limit{Count: 1, Per: time.Hour}
		edit(c)
	}})
	rs, c := s.NewClient(t, "resource-server", "introspect"), s.NewClient(t, "billing-client", "users:read")
	bad := config.Defaults()
	bad.Scopes.File = "/nowhere/scopes.yaml"
	if err := s.Reload(t.Context(), bad); err == nil {
		t.Fatal("a catalogue that does not exist was loaded")
	}
	beside, asks := watchedEdge(t, s, rs, c)
	return strings.TrimPrefix(s.Server.URL("metrics"), "http://"), beside, func() {
		asks()
		s.Introspect(t, rs, s.Token(t, c, ""))
		s.Introspect(t, rs, "made-up-0123456789")
		s.Form(t, "/oauth/token", c.ClientID, "wrong-secret", url.Values{"grant_type": {"client_credentials"}})
		s.AdminDo(t, http.MethodGet, "/clients", nil)
		decide(t, s.URL)
	}
}

// scraping is how long Prometheus may take to have two samples of each series, with
// images being built at the same time.
const scraping = 2 * time.Minute

// prometheus starts a Prometheus with the alerts, which scrapes both jobs every few
// seconds: a scrape may not last longer than that, and the machine may be busy. It
// returns the URL.
func prometheus(t *testing.T, servers, edges []string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	rules, err := filepath.Abs(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yaml")
	text := fmt.Sprintf("global: {scrape_interval: 4s, scrape_timeout: 4s, evaluation_interval: 1s}\nrule_files: [%q]\n"+
		"scrape_configs: [{job_name: grantd, static_configs: [{targets: [\"%s\"]}]}, {job_name: grantd-edge, static_configs: [{targets: [\"%s\"]}]}]\n",
		rules, strings.Join(servers, `", "`), strings.Join(edges, `", "`))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("prometheus", "--config.file", file, "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", address)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("prometheus: %v; `make test` installs it", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s", text)
		}
	})
	return "http://" + address
}

// ask returns the number of results of an instant query.
func ask(base, query string) (int, error) {
	res, err := http.PostForm(base+"/api/v1/query", url.Values{"query": {query}})
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	var body struct {
		Error string `json:"error"`
		Data  struct {
			Result []json.RawMessage `json:"result"`
		} `json:"data"`
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		return 0, err
	}
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%d %s", res.StatusCode, body.Error)
	}
	return len(body.Data.Result), nil
}

// TestDashboardAndAlertsOnPrometheus runs each query of the dashboard, and each alert,
// on a Prometheus that scrapes a grantd on each store and an edge beside each.
func TestDashboardAndAlertsOnPrometheus(t *testing.T) {
	t.Parallel()
	embedded, edge1, onEmbedded := watched(t, func(*config.Config) {})
	redis, edge2, onRedis := watched(t, harness.OnRedis(redistest.Start(t).Addr))
	base := prometheus(t, []string{embedded, redis}, []string{edge1, edge2})
	fill := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*")
	left := queries(t)
	poll.Await(t, scraping, "each query has a result", func() string {
		onEmbedded()
		onRedis()
		var why []string
		for name, query := range left {
			n, err := ask(base, fill.Replace(query))
			switch {
			case err != nil:
				why = append(why, name+": "+err.Error())
			case n == 0 && !unmade.MatchString(query):
				why = append(why, name+" is empty: "+query)
			default:
				delete(left, name)
			}
		}
		slices.Sort(why)
		return strings.Join(why, "\n")
	})
	for _, a := range alerts(t) {
		if _, err := ask(base, a.Expr); err != nil {
			t.Errorf("%s: %v", a.Alert, err)
		}
	}
	// The failed reload and the limit are new, so these fire; nothing critical does.
	for _, name := range []string{"GrantdReloadFailed", "GrantdLimitHit"} {
		poll.Await(t, scraping, name+" fires", func() string {
			n, err := ask(base, `ALERTS{alertstate="firing",alertname="`+name+`"}`)
			if err != nil || n == 0 {
				return fmt.Sprint(n, err)
			}
			return ""
		})
	}
	if n, err := ask(base, `ALERTS{severity="critical",alertstate="firing"}`); n != 0 || err != nil {
		t.Errorf("%d critical alerts fire: %v", n, err)
	}
}
