package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	alertsFile    = "alerts.yaml"
	dashboardFile = "dashboard.json"
	guideURL      = "https://github.com/grantd/grantd/blob/main/deploy/OPERATING.md#"
)

// alert is a rule of the file.
type alert struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string  `yaml:"name"`
			Rules []alert `yaml:"rules"`
		} `yaml:"groups"`
	}
	d := yaml.NewDecoder(strings.NewReader(read(t, alertsFile)))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	var all []alert
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

var (
	guideHeading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	noSlug       = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestAlertsHelp checks that each alert says how bad it is, what is wrong, what to do,
// and which section of the guide has more.
func TestAlertsHelp(t *testing.T) {
	t.Parallel()
	sections := map[string]bool{}
	for _, h := range guideHeading.FindAllStringSubmatch(read(t, "OPERATING.md"), -1) {
		sections[strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
	}
	names := map[string]bool{}
	for _, a := range alerts(t) {
		if names[a.Alert] || !strings.HasPrefix(a.Alert, "Grantd") {
			t.Errorf("%s: the name is repeated, or does not begin with Grantd", a.Alert)
		}
		names[a.Alert] = true
		if s := a.Labels["severity"]; s != "critical" && s != "warning" || len(a.Labels) != 1 {
			t.Errorf("%s: labels %v", a.Alert, a.Labels)
		}
		section, ok := strings.CutPrefix(a.Annotations["runbook_url"], guideURL)
		if !ok || !sections[section] {
			t.Errorf("%s: OPERATING.md has no section %q", a.Alert, section)
		}
		if len(a.Annotations["summary"]) < 10 || len(a.Annotations["description"]) < 30 || len(a.Annotations) != 3 {
			t.Errorf("%s: annotations %v", a.Alert, a.Annotations)
		}
	}
}

var (
	metricName = regexp.MustCompile(`\bgrantd_[a-z_]+`)
	metricRow  = regexp.MustCompile("(?m)^\\| `(grantd_[a-z_]+)` \\| ([a-z]+) ")
)

// TestWatchedMetricsExist checks that alerts and dashboard name only metrics that
// METRICS.md has, and that one of them uses each.
func TestWatchedMetricsExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, row := range metricRow.FindAllStringSubmatch(read(t, "../server/metrics/METRICS.md"), -1) {
		known[row[1]] = false
		if row[2] == "histogram" {
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				known[row[1]+suffix] = true // its use counts for the histogram
			}
		}
	}
	expressions := slices.Collect(maps.Values(queries(t)))
	for _, a := range alerts(t) {
		expressions = append(expressions, a.Expr)
	}
	for _, e := range expressions {
		for _, name := range metricName.FindAllString(e, -1) {
			if _, ok := known[name]; !ok {
				t.Errorf("%s is not in METRICS.md: %s", name, e)
			}
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				if base := strings.TrimSuffix(name, suffix); base != name {
					if _, ok := known[base]; ok {
						name = base
					}
				}
			}
			known[name] = true
		}
	}
	for name, used := range known {
		if !used {
			t.Errorf("no alert and no panel uses %s: add it to %s or %s", name, alertsFile, dashboardFile)
		}
	}
}

// queries returns the expressions of the dashboard, by panel and letter.
func queries(t *testing.T) map[string]string {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				RefID string `json:"refId"`
				Expr  string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal([]byte(read(t, dashboardFile)), &board); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			name := p.Title + " " + target.RefID
			if all[name] != "" {
				t.Errorf("panel %s is repeated", name)
			}
			all[name] = target.Expr
		}
	}
	return all
}

// situation is a case for promtool: series with their values each minute, and
// whether the alert fires after two hours.
type situation map[string]string

// steady, rising and similar are values of two hours, one each minute.
const (
	always0 = "0x120"
	always1 = "1x120"
	rising  = "0+60x120"   // by one a second
	slow    = "0+0.06x120" // by one in a thousand seconds
	newly   = "_x115 1x5"  // the series appeared five minutes ago
	old     = "1x120"
)

// firing and quiet have one situation for each alert.
var firing = map[string]situation{
	"GrantdDown":                   {`up{job="grantd",instance="a"}`: always0},
	"GrantdNotReady":               {`grantd_http_requests_total{route="/readyz",code="503",instance="a"}`: rising},
	"GrantdFeedStale":              {`grantd_feed_age_seconds{instance="a"}`: "1.5x120"},
	"GrantdServerErrors":           {`grantd_http_requests_total{route="/oauth/token",code="503",instance="a"}`: "0+2x120", `grantd_http_requests_total{route="/oauth/token",code="200",instance="a"}`: "0+60x120"},
	"GrantdSlow":                   buckets(`grantd_http_request_duration_seconds_bucket{listener="public",route="/oauth/token",instance="a"`, "0.5", "0+10x120", "1", rising),
	"GrantdStoreUnavailable":       {`grantd_store_operation_duration_seconds_count{operation="GetToken",result="unavailable",instance="a"}`: rising},
	"GrantdStoreSlow":              buckets(`grantd_store_operation_duration_seconds_bucket{operation="PutToken",result="ok",instance="a"`, "0.25", "0+10x120", "0.5", rising),
	"GrantdStoreUnsuitable":        {`grantd_store_unsuitable{instance="a"}`: always1},
	"GrantdStoreRolledBack":        {`grantd_store_rollbacks_total{instance="a"}`: "0x100 1x20"},
	"GrantdRecordsHeldBack":        {`grantd_store_kinds_held_back{instance="a"}`: "3x120"},
	"GrantdChangesUnconfirmed":     {`grantd_store_unconfirmed{instance="a"}`: always1},
	"GrantdAuditNotWritten":        {`grantd_audit_failures_total{instance="a"}`: "0x110 2x10"},
	"GrantdClockWrong":             {`grantd_clock_skew_seconds{instance="a"}`: "-3x120"},
	"GrantdAuthenticationFailures": {`grantd_client_authentications_total{result="refused",instance="a"}`: "0+90x120"},
	"GrantdLimitHit":               {`grantd_limit_hits_total{limit="issue_per_client",instance="a"}`: newly},
	"GrantdConnectionsRefused":     {`grantd_connections_refused_total{listener="public",reason="full",instance="a"}`: newly},
	"GrantdTokensNotCached":        {`grantd_uncached_token_warnings_total{instance="a"}`: "0x100 1x20"},
	"GrantdStreamsRefused":         {`grantd_revocation_streams_refused_total{reason="streams_of_client",instance="a"}`: "0x110 1x10"},
	"GrantdStreamsSlow":            buckets(`grantd_revocation_delay_seconds_bucket{instance="a"`, "0.25", "0+10x120", "0.5", rising),
	"GrantdReadersGone":            {`grantd_revocation_readers{job="grantd",instance="a"}`: "10x100 0x20", `grantd_revocation_readers{job="grantd",instance="b"}`: "10x100 4x20"},
	"GrantdStreamsCut":             {`grantd_revocation_streams_ended_total{reason="left",instance="a"}`: "0+10x120", `grantd_revocation_readers{instance="a"}`: "10x120"},
	"GrantdStreamsLost":            {`grantd_revocation_streams_ended_total{reason="slow",instance="a"}`: "0x110 5x10"},
	"GrantdStreamsReset":           {`grantd_revocation_resets_total{reason="registration",instance="a"}`: "0+2x120", `grantd_revocation_readers{instance="a"}`: "10x120"},
	"GrantdCodesNotSent":           {`grantd_codes_sent_duration_seconds_count{channel="sms",result="failed",instance="a"}`: newly},
	"GrantdCodesGuessed":           {`grantd_codes_tried_total{result="wrong",instance="a"}`: rising, `grantd_codes_tried_total{result="right",instance="a"}`: "0+10x120"},
	"GrantdPhonesUnreadable":       {`grantd_phones_unreadable_total{instance="a"}`: "0x110 1x10"},
	"GrantdCertificateExpires":     {`grantd_tls_certificate_not_after_seconds{listener="public",instance="a"}`: "864000x120"},
	"GrantdCertificateExpiresSoon": {`grantd_tls_certificate_not_after_seconds{listener="public",instance="a"}`: "86400x120"},
	"GrantdCertificateRefused":     {`grantd_tls_handshake_failures_total{listener="public",reason="certificate",instance="a"}`: rising},
	"GrantdReloadFailed":           {`grantd_reloads_total{what="tls",result="failed",instance="a"}`: newly},
	"GrantdSecretsExpire":          {`grantd_secrets_expiring{within="7d",instance="a"}`: always1},
	"GrantdPartnerTokensExpire":    {`grantd_partner_tokens_expiring{instance="a"}`: always1},
	"GrantdAPIKeysExpire":          {`grantd_api_keys_expiring{instance="a"}`: always1},
	"GrantdSigningKeyIsOld":        {`grantd_signing_key_since_seconds{instance="a"}`: "-9000000x120"},
	"GrantdNoticesWait":            {`grantd_notices_oldest_pending_seconds{instance="a"}`: "0+60x120"},
	"GrantdNoticesDropped":         {`grantd_notices_total{result="dropped",instance="a"}`: newly},
	"GrantdCustomersLocked":        {`grantd_customers_locked_total{by="wrong_codes_per_day",instance="a"}`: rising},
	"GrantdEdgeNotReady":           {`grantd_edge_ready{instance="a"}`: always0},
	"GrantdEdgeNotFresh":           {`grantd_edge_age_seconds{instance="a"}`: "1.5x120", `grantd_edge_stream_connected{instance="a"}`: always1},
	"GrantdEdgeCannotTell":         {`grantd_edge_introspections_total{result="unavailable",instance="a"}`: "0+6x120"},
	"GrantdEdgeTokensRefused":      {`grantd_edge_tokens_fetched_total{result="refused",instance="a"}`: newly},
	"GrantdGatewayRefused":         {`grantd_forward_auth_decisions_total{outcome="refused",cause="not_a_gateway",instance="a"}`: "0+6x120"},
	"GrantdVersionsDiffer":         {`grantd_build_info{job="grantd",version="v1",instance="a"}`: always1, `grantd_build_info{job="grantd",version="v2",instance="b"}`: always1},
	"GrantdFilesRunOut":            {`process_open_fds{job="grantd",instance="a"}`: "900x120", `process_max_fds{job="grantd",instance="a"}`: "1000x120"},
}

var quiet = map[string]situation{
	"GrantdDown":                   {`up{job="grantd",instance="a"}`: always1, `up{job="other",instance="a"}`: always0},
	"GrantdNotReady":               {`grantd_http_requests_total{route="/readyz",code="200",instance="a"}`: rising, `grantd_http_requests_total{route="/readyz",code="503",instance="a"}`: "0x60 60x60"},
	"GrantdFeedStale":              {`grantd_feed_age_seconds{instance="a"}`: "0.4x120"},
	"GrantdServerErrors":           {`grantd_http_requests_total{route="/oauth/token",code="503",instance="a"}`: slow, `grantd_http_requests_total{route="/oauth/token",code="200",instance="a"}`: rising, `grantd_http_requests_total{route="/readyz",code="503",instance="a"}`: rising},
	"GrantdSlow":                   buckets(`grantd_http_request_duration_seconds_bucket{listener="public",route="/oauth/token",instance="a"`, "0.5", rising, "1", rising),
	"GrantdStoreUnavailable":       {`grantd_store_operation_duration_seconds_count{operation="GetToken",result="refused",instance="a"}`: rising},
	"GrantdStoreSlow":              buckets(`grantd_store_operation_duration_seconds_bucket{operation="PutToken",result="ok",instance="a"`, "0.25", rising, "0.5", rising),
	"GrantdStoreUnsuitable":        {`grantd_store_unsuitable{instance="a"}`: always0},
	"GrantdStoreRolledBack":        {`grantd_store_rollbacks_total{instance="a"}`: "0x20 1x100"},
	"GrantdRecordsHeldBack":        {`grantd_store_kinds_held_back{instance="a"}`: always0},
	"GrantdChangesUnconfirmed":     {`grantd_store_unconfirmed{instance="a"}`: "0x116 1x4"},
	"GrantdAuditNotWritten":        {`grantd_audit_failures_total{instance="a"}`: "2x120"},
	"GrantdClockWrong":             {`grantd_clock_skew_seconds{instance="a"}`: "-1x120"},
	"GrantdAuthenticationFailures": {`grantd_client_authentications_total{result="refused",instance="a"}`: slow, `grantd_client_authentications_total{result="ok",instance="a"}`: "0+6000x120"},
	"GrantdLimitHit":               {`grantd_limit_hits_total{limit="issue_per_client",instance="a"}`: old},
	"GrantdConnectionsRefused":     {`grantd_connections_refused_total{listener="public",reason="full",instance="a"}`: old},
	"GrantdTokensNotCached":        {`grantd_uncached_token_warnings_total{instance="a"}`: old},
	"GrantdStreamsRefused":         {`grantd_revocation_streams_refused_total{reason="draining",instance="a"}`: rising, `grantd_revocation_streams_refused_total{reason="stream_rate",instance="a"}`: old},
	"GrantdStreamsSlow":            buckets(`grantd_revocation_delay_seconds_bucket{instance="a"`, "0.25", rising, "0.5", rising),
	// Streams move to another replica, or their readers open the next one, as a rule.
	"GrantdReadersGone":            {`grantd_revocation_readers{job="grantd",instance="a"}`: "10x100 0x20", `grantd_revocation_readers{job="grantd",instance="b"}`: "10x100 20x20"},
	"GrantdStreamsCut":             {`grantd_revocation_streams_ended_total{reason="left",instance="a"}`: "0+1x120", `grantd_revocation_readers{instance="a"}`: "10x120"},
	"GrantdStreamsLost":            {`grantd_revocation_streams_ended_total{reason="slow",instance="a"}`: "0x110 1x10", `grantd_revocation_streams_ended_total{reason="drain",instance="a"}`: rising},
	"GrantdStreamsReset":           {`grantd_revocation_resets_total{reason="recovered",instance="a"}`: "0x100 20x20", `grantd_revocation_resets_total{reason="behind",instance="a"}`: rising, `grantd_revocation_readers{instance="a"}`: "10x120"},
	"GrantdCodesNotSent":           {`grantd_codes_sent_duration_seconds_count{channel="sms",result="failed",instance="a"}`: old, `grantd_codes_sent_duration_seconds_count{channel="sms",result="ok",instance="a"}`: rising},
	"GrantdCodesGuessed":           {`grantd_codes_tried_total{result="wrong",instance="a"}`: "0+10x120", `grantd_codes_tried_total{result="right",instance="a"}`: rising},
	"GrantdPhonesUnreadable":       {`grantd_phones_unreadable_total{instance="a"}`: old},
	"GrantdCertificateExpires":     {`grantd_tls_certificate_not_after_seconds{listener="public",instance="a"}`: "2592000x120"},
	"GrantdCertificateExpiresSoon": {`grantd_tls_certificate_not_after_seconds{listener="public",instance="a"}`: "864000x120"},
	"GrantdCertificateRefused":     {`grantd_tls_handshake_failures_total{listener="public",reason="closed",instance="a"}`: rising},
	"GrantdReloadFailed":           {`grantd_reloads_total{what="tls",result="failed",instance="a"}`: old, `grantd_reloads_total{what="tls",result="ok",instance="a"}`: newly},
	"GrantdSecretsExpire":          {`grantd_secrets_expiring{within="7d",instance="a"}`: always0, `grantd_secrets_expiring{within="30d",instance="a"}`: always1},
	"GrantdPartnerTokensExpire":    {`grantd_partner_tokens_expiring{instance="a"}`: always0},
	"GrantdAPIKeysExpire":          {`grantd_api_keys_expiring{instance="a"}`: always0},
	"GrantdSigningKeyIsOld":        {`grantd_signing_key_since_seconds{instance="a"}`: "0x120"},
	"GrantdNoticesWait":            {`grantd_notices_oldest_pending_seconds{instance="a"}`: "60x120"},
	"GrantdNoticesDropped":         {`grantd_notices_total{result="dropped",instance="a"}`: old, `grantd_notices_total{result="sent",instance="a"}`: rising},
	"GrantdCustomersLocked":        {`grantd_customers_locked_total{by="wrong_codes_per_day",instance="a"}`: "0+0.1x120"},
	"GrantdEdgeNotReady":           {`grantd_edge_ready{instance="a"}`: "1x118 0x2", `grantd_edge_stream_connected{instance="a"}`: always0},
	"GrantdEdgeNotFresh":           {`grantd_edge_age_seconds{instance="a"}`: "0.4x118 5x2", `grantd_edge_stream_connected{instance="a"}`: "1x118 0x2"},
	"GrantdEdgeCannotTell":         {`grantd_edge_introspections_total{result="inactive",instance="a"}`: rising, `grantd_edge_introspections_total{result="unavailable",instance="a"}`: old},
	"GrantdEdgeTokensRefused":      {`grantd_edge_tokens_fetched_total{result="refused",instance="a"}`: old, `grantd_edge_tokens_fetched_total{result="ok",instance="a"}`: rising},
	"GrantdGatewayRefused":         {`grantd_forward_auth_decisions_total{outcome="refused",cause="not_a_gateway",instance="a"}`: old, `grantd_forward_auth_decisions_total{outcome="refused",cause="token_scope",instance="a"}`: rising},
	// An edge is upgraded with its API.
	"GrantdVersionsDiffer": {`grantd_build_info{job="grantd",version="v1",instance="a"}`: always1, `grantd_build_info{job="grantd",version="v1",instance="b"}`: always1, `grantd_build_info{job="grantd-edge",version="v2",instance="c"}`: always1},
	"GrantdFilesRunOut":    {`process_open_fds{job="grantd",instance="a"}`: "100x120", `process_max_fds{job="grantd",instance="a"}`: "1000x120"},
}

// buckets returns a histogram with two bounds.
func buckets(series, low, lowValues, high, highValues string) situation {
	return situation{
		series + `,le="` + low + `"}`:  lowValues,
		series + `,le="` + high + `"}`: highValues,
		series + `,le="+Inf"}`:         highValues,
	}
}

type (
	promSeries struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	}
	promSample struct {
		Labels string  `yaml:"labels"`
		Value  float64 `yaml:"value"`
	}
	promExpr struct {
		Expr    string       `yaml:"expr"`
		At      string       `yaml:"eval_time"`
		Samples []promSample `yaml:"exp_samples"`
	}
	promTest struct {
		Name     string       `yaml:"name"`
		Interval string       `yaml:"interval"`
		Input    []promSeries `yaml:"input_series"`
		Exprs    []promExpr   `yaml:"promql_expr_test"`
	}
)

// promCase is the situation as a test of promtool, after two hours.
func promCase(name string, s situation, fires bool) promTest {
	test := promTest{Name: fmt.Sprintf("%s fires: %v", name, fires), Interval: "1m"}
	for _, series := range slices.Sorted(maps.Keys(s)) {
		test.Input = append(test.Input, promSeries{series, s[series]})
	}
	// The alert alone: a situation may also be another alert's.
	e := promExpr{Expr: fmt.Sprintf(`count(ALERTS{alertname="%s",alertstate="firing"})`, name), At: "2h"}
	if fires {
		e.Samples = []promSample{{"{}", 1}}
	}
	test.Exprs = []promExpr{e}
	return test
}

// TestAlertsFire runs promtool: each alert fires in its situation and is quiet in a
// similar one.
func TestAlertsFire(t *testing.T) {
	t.Parallel()
	rules, err := filepath.Abs(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Rules    []string   `yaml:"rule_files"`
		Interval string     `yaml:"evaluation_interval"`
		Tests    []promTest `yaml:"tests"`
	}
	file.Rules, file.Interval = []string{rules}, "1m"
	names := map[string]bool{}
	for _, a := range alerts(t) {
		names[a.Alert] = true
		if firing[a.Alert] == nil || quiet[a.Alert] == nil {
			t.Errorf("%s has no situation in which it fires, or none in which it is quiet", a.Alert)
			continue
		}
		file.Tests = append(file.Tests, promCase(a.Alert, firing[a.Alert], true), promCase(a.Alert, quiet[a.Alert], false))
	}
	for name := range firing {
		if !names[name] {
			t.Errorf("there is no alert %s", name)
		}
	}
	text, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tests.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "rules", rules}, {"test", "rules", path}} {
		out, err := exec.Command("promtool", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("promtool %s: %v\n%s", strings.Join(args[:2], " "), err, bytes.TrimSpace(out))
		}
	}
}
