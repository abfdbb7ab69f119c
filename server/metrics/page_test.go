package metrics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
)

// metric is what the page or the code says about one metric.
type metric struct{ Type, Labels string }

// families are the prefixes of the Prometheus client's metrics. The page names
// only the prefixes.
var families = []string{"go_", "process_"}

// foreign reports whether the metric is one of the Prometheus client's.
func foreign(name string) bool {
	return slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(name, f) })
}

// touched returns metrics that have each been used once: a vector without a
// sample is not gathered.
func touched() *Metrics {
	m := New(func() Feed { return someFeed{} })
	m.Requests("public")("/oauth/token", 200, time.Millisecond)
	m.CountIssued("client")
	m.CountIntrospected(true, "hit")
	m.CountDecision("refused", "token_scope")
	m.Authenticated("ok", "")
	m.LimitHit("issue_per_client")
	m.Chatty()
	m.AuditFailed(1)
	one := func(time.Duration) int { return 1 }
	m.CountExpiring(one, one, one)
	m.Reloaded("tls", errors.New("no"))
	m.CodeSent("sms", true, time.Millisecond)
	m.NoticeDone("sent")
	m.CustomerLocked("wrong_codes_in_row")
	m.CodeTried(true)
	m.PhoneUnreadable()
	m.Connections("public")(1)
	m.ConnectionRefused("public")("full")
	m.ClockSkew(time.Second)
	m.CertificateEnds("public", time.Now())
	m.HandshakeFailed("public", "closed")
	m.SpansSent(1, nil)
	m.NewStream([]string{"behind"}, []string{"slow"}, []string{"rate"})
	m.Batch(1)
	m.Measure(&embedded.Store{})
	return m
}

func TestPageNamesEveryMetric(t *testing.T) {
	t.Parallel()
	want, got := onPage(t), inCode(t)
	if len(got) < 10 {
		t.Fatalf("found only %d metrics in the code", len(got))
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("METRICS.md differs from the code (-code +page):\n%s", diff)
	}
}

// inCode returns the registered metrics. Every vector must have been touched.
func inCode(t *testing.T) map[string]metric {
	t.Helper()
	return inRegistry(t, touched().registry)
}

// inRegistry returns the metrics in the registry.
func inRegistry(t *testing.T, registry *prometheus.Registry) map[string]metric {
	t.Helper()
	described := make(chan *prometheus.Desc)
	go func() { registry.Describe(described); close(described) }()
	labels := map[string]string{}
	form := regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{(.*)\}\}`)
	for d := range described {
		f := form.FindStringSubmatch(d.String())
		if f == nil {
			t.Fatalf("this test cannot read the description %s", d)
		}
		if !foreign(f[1]) {
			labels[f[1]] = f[2]
		}
	}
	gathered, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]metric{}
	for _, g := range gathered {
		if names, ok := labels[g.GetName()]; ok {
			all[g.GetName()] = metric{strings.ToLower(g.GetType().String()), names}
		} else if !foreign(g.GetName()) {
			t.Errorf("%s is gathered but not described", g.GetName())
		}
	}
	for name := range labels {
		if _, ok := all[name]; !ok {
			t.Errorf("%s has no sample: touch it in this test", name)
		}
	}
	return all
}

// onPage returns the metrics in the first table of METRICS.md.
func onPage(t *testing.T) map[string]metric {
	t.Helper()
	return inTable(t, page(t))
}

func inTable(t *testing.T, text string) map[string]metric {
	t.Helper()
	row := regexp.MustCompile("(?m)^\\| `(grantd_[a-z_]+)` \\| ([a-z]+) \\| (.*?) ?\\| .+ \\|.*\\|$")
	all := map[string]metric{}
	for _, r := range row.FindAllStringSubmatch(text, -1) {
		if _, twice := all[r[1]]; twice {
			t.Errorf("%s is repeated on the page", r[1])
		}
		all[r[1]] = metric{r[2], strings.NewReplacer("`", "", " ", "").Replace(r[3])}
	}
	return all
}

// TestPageNamesEveryMetricOfEdge is TestPageNamesEveryMetric for 'grantd edge'.
func TestPageNamesEveryMetricOfEdge(t *testing.T) {
	t.Parallel()
	m := NewEdge(func() EdgeState { return EdgeState{} })
	m.Requests()("/token", 200, time.Millisecond)
	m.CountIntrospected("active")
	m.CountDecision("refused", "token_scope")
	m.CountSecret("right")
	m.CountFetched("ok")
	m.ConnectionRefused("full")
	_, text := pages(t)
	got := inRegistry(t, m.registry)
	delete(got, "grantd_build_info")
	if diff := cmp.Diff(got, inTable(t, text)); diff != "" {
		t.Errorf("METRICS.md differs from the code (-code +page):\n%s", diff)
	}
}

// TestPageNamesValues checks the label values that this package fixes, and the
// names in the alerts.
func TestPageNamesValues(t *testing.T) {
	t.Parallel()
	text := page(t)
	kinds := []string{
		store.ClientKind.Title, store.OrgKind.Title, store.CustomerKind.Title,
		store.PartnerKind.Title, store.PartnerTokenKind.Title, store.APIKeyKind.Title, store.GrantKind.Title, store.HoldKind.Title, store.NoticeQueueKind.Title, store.SigningKeysKind.Title,
	}
	ofKind := regexp.MustCompile("^(Create|Get|Update|Restore|Delete|List)(" + strings.Join(kinds, "|") + ")s?$")
	operations := slices.DeleteFunc(store.Operations(), func(o string) bool { return o == store.OpClose || ofKind.MatchString(o) })
	for _, value := range slices.Concat(operations, families, kinds) {
		if !strings.Contains(text, "`"+value+"`") {
			t.Errorf("METRICS.md does not name `%s`", value)
		}
	}
	known := slices.Collect(maps.Keys(onPage(t)))
	for _, name := range regexp.MustCompile(`grantd_[a-z_]+`).FindAllString(text, -1) {
		if base := strings.TrimSuffix(name, "_count"); !slices.Contains(known, name) && !slices.Contains(known, base) {
			t.Errorf("METRICS.md names %s, which is not a metric", name)
		}
	}
}

// TestStoreResults checks which errors count as unavailable: not that a caller hung up.
func TestStoreResults(t *testing.T) {
	t.Parallel()
	m := New(func() Feed { return someFeed{} })
	timer := m.storeTimer("GetToken")
	for _, err := range []error{
		nil, store.ErrNotFound, store.ErrConflict, fmt.Errorf("x: %w", store.ErrUnavailable),
		fmt.Errorf("x: %w: %w", store.ErrUnavailable, context.DeadlineExceeded),
		fmt.Errorf("x: %w: %w", store.ErrUnavailable, context.Canceled), context.Canceled,
	} {
		timer.done(time.Now(), err)
	}
	got := map[string]uint64{}
	gathered, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range gathered {
		for _, sample := range g.GetMetric() {
			if g.GetName() != "grantd_store_operation_duration_seconds" || sample.GetLabel()[0].GetValue() != "GetToken" {
				continue
			}
			got[sample.GetLabel()[1].GetValue()] = sample.GetHistogram().GetSampleCount()
		}
	}
	if diff := cmp.Diff(map[string]uint64{"ok": 1, "refused": 2, "unavailable": 2, "canceled": 2}, got); diff != "" {
		t.Error(diff)
	}
}

// page returns what METRICS.md says about the server.
func page(t *testing.T) string {
	t.Helper()
	server, _ := pages(t)
	return server
}

// pages returns what METRICS.md says about the server and about grantd edge.
func pages(t *testing.T) (server, edge string) {
	t.Helper()
	b, err := os.ReadFile("METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	server, edge, ok := strings.Cut(string(b), "\n## grantd edge\n")
	if !ok {
		t.Fatal("METRICS.md has no section about grantd edge")
	}
	return server, edge
}

// someFeed is the feed that the tests show.
type someFeed struct{}

func (someFeed) Age() time.Duration { return time.Second }
func (someFeed) Entries() int       { return 3 }

// Hold is of two kinds that are still held back.
func (someFeed) Hold() *store.Hold {
	return &store.Hold{Released: []string{"client", "org", "grant"}}
}
