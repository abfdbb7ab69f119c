// Package metrics holds what grantd counts and measures, in a separate
// Prometheus registry. Labels are route templates, codes and names from this
// program, never anything that a caller sent. METRICS.md lists every metric. A
// test compares it with the code.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/grantd/grantd/server/version"
	"github.com/grantd/grantd/store"
)

// Path is the path of the metrics on their listener.
const Path = "/metrics"

// Metrics holds the collectors. Safe for concurrent use.
type Metrics struct {
	registry         *prometheus.Registry
	requests         *prometheus.CounterVec
	latency          *prometheus.HistogramVec
	issued           *prometheus.CounterVec
	introspections   *prometheus.CounterVec
	decisions        decisions
	signed           prometheus.Counter
	signingKey       prometheus.Gauge
	authentication   *prometheus.CounterVec
	store            *prometheus.HistogramVec
	batches          prometheus.Histogram
	trips            prometheus.Histogram
	limits           *prometheus.CounterVec
	chatty           prometheus.Counter
	auditFailures    prometheus.Counter
	unsuitable       prometheus.Gauge
	rollbacks        prometheus.Counter
	replicas         prometheus.Gauge
	unconfirmed      prometheus.Gauge
	secretsExpiring  *expiring
	partnersExpiring *expiring
	keysExpiring     *expiring
	reloads          *prometheus.CounterVec
	phonesUnreadable prometheus.Counter
	codesSent        *prometheus.HistogramVec
	codesTried       *prometheus.CounterVec
	locked           *prometheus.CounterVec
	notices          notices
	connections      *prometheus.GaugeVec
	refused          *prometheus.CounterVec
	skew             prometheus.Gauge
	certificates     *prometheus.GaugeVec
	handshakes       *prometheus.CounterVec
	spans            *prometheus.CounterVec

	// Collectors of the hot paths.
	byUse     *lookup[string, prometheus.Counter]
	byResult  *lookup[introspectionLabels, prometheus.Counter]
	byOutcome *lookup[authLabels, prometheus.Counter]
}

var latencyBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}

var batchBuckets = prometheus.ExponentialBuckets(1, 2, 11)

// Feed is what the metrics show of the feed.
type Feed interface {
	Age() time.Duration // since it was last confirmed
	Entries() int       // in memory
	Hold() *store.Hold
}

// New returns the collectors. feed returns the feed, which is made later.
func New(feed func() Feed) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grantd_http_requests_total", Help: "Requests by listener, route template and status code.",
		}, []string{"listener", "route", "code"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "grantd_http_request_duration_seconds", Help: "Time from the first byte of a request to its response, by listener and route template.", Buckets: latencyBuckets,
		}, []string{"listener", "route"}),
		issued: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grantd_tokens_issued_total", Help: "Tokens issued by token use.",
		}, []string{"token_use"}),
		signed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "grantd_introspections_signed_total", Help: "Introspections whose response was signed (RFC 9701).",
		}),
		signingKey: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "grantd_signing_key_since_seconds", Help: "Since when the key that signs introspection has signed, in Unix time; 0 before the first key is made.",
		}),
		decisions: newDecisions("grantd_forward_auth_decisions_total"),
		introspections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grantd_introspections_total", Help: "Introspections by result (active, inactive) and cache (hit, miss, none: neither cache nor store was needed).",
		}, []string{"result", "cache"}),
		authentication: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grantd_client_authentications_total", Help: "Client authentications by result (ok, old_secret, refused, limited) and the cause of a refusal.",
		}, []string{"result", "cause"}),
		store: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "grantd_store_operation_duration_seconds", Help: "Store operations by name and result (ok, refused, unavailable, canceled).", Buckets: latencyBuckets,
		}, []string{"operation", "result"}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "grantd_store_batch_writes", Help: "Writes that shared one commit of the embedded store.", Buckets: batchBuckets,
		}),
		trips: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "grantd_store_batch_commands", Help: "Lookups and writes that shared one round trip to Redis.", Buckets: batchBuckets,
		}),
		limits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grantd_limit_hits_total", Help: "Requests over a limit, by its name in the configuration.",
		}, []string{"limit"}),
		chatty: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "grantd_uncached_token_warnings_total", Help: "Times that the log reported a client that requests tokens instead of caching them.",
		}),
		auditFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "grantd_audit_failures_total", Help: "Audit events that went to the log because the store failed.",
		}),
		unsuitable: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "grantd_store_unsuitable", Help: "1 while the settings of Redis would lose records; /readyz is 503 meanwhile.",
		}),
		rollbacks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "grantd_store_rollbacks_total", Help: "Times that the store came back older than it was; the log says what was lost and held back.",
		}),
		replicas: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "grantd_redis_replicas", Help: "Replicas of the master of Redis that has the fewest; 0 on the embedded store.",
		}),
		unconfirmed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "grantd_store_unconfirmed", Help: "1 while changes are in force that too few replicas of Redis have.",
		}),
		secretsExpiring: &expiring{desc: prometheus.NewDesc(
			"grantd_secrets_expiring", "Client secrets that expire within the time in the label.", []string{"within"}, nil,
		)},
		keysExpiring: &expiring{desc: prometheus.NewDesc(
			"grantd_api_keys_expiring", "API keys of orgs that expire within the next 7 days.", nil, nil,
		)},
		partnersExpiring: &expiring{desc: prometheus.NewDesc(
			"grantd_partner_tokens_expiring", "Partner tokens that expire within the next 7 days.", nil, nil,
		)},
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grantd_reloads_total", Help: "Reloads of files by what (catalogue, tls, log) and result (ok, failed: the old state stays).",
		}, []string{"what", "result"}),
	}
	m.codesSent = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "grantd_codes_sent_duration_seconds", Help: "Time that the sender needed for a verification code, by channel (sms, call) and result (ok, failed).",
		Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"channel", "result"})
	m.codesTried = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "grantd_codes_tried_total", Help: "Verification codes that were tried, by result (right, wrong: also used, expired or for another verification).",
	}, []string{"result"})
	m.locked = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "grantd_customers_locked_total", Help: "Times that wrong codes locked a customer, by what did (wrong_codes_in_row, wrong_codes_per_day).",
	}, []string{"by"})
	m.connections = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "grantd_connections", Help: "Open connections by listener.",
	}, []string{"listener"})
	m.refused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "grantd_connections_refused_total", Help: "Connections and requests refused by listener and reason; METRICS.md explains the reasons.",
	}, []string{"listener", "reason"})
	m.skew = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "grantd_clock_skew_seconds", Help: "How far the clock of this process is ahead of that of Redis, compared once a minute; 0 on the embedded store.",
	})
	m.certificates = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "grantd_tls_certificate_not_after_seconds", Help: "When the certificate in use expires, by listener, in Unix time.",
	}, []string{"listener"})
	m.handshakes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "grantd_tls_handshake_failures_total", Help: "TLS handshakes that failed, by listener and reason; METRICS.md explains the reasons.",
	}, []string{"listener", "reason"})
	m.phonesUnreadable = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "grantd_phones_unreadable_total", Help: "Customers' records that were read with a phone number that could not be decrypted.",
	})
	m.spans = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "grantd_trace_spans_total", Help: "Spans for the collector of traces, by result (ok, failed: they are lost).",
	}, []string{"result"})
	m.byUse = newLookup(func(use string) prometheus.Counter { return m.issued.WithLabelValues(use) })
	m.byResult = newLookup(func(l introspectionLabels) prometheus.Counter {
		return m.introspections.WithLabelValues(l.result, l.cache)
	})
	m.byOutcome = newLookup(func(l authLabels) prometheus.Counter { return m.authentication.WithLabelValues(l.result, l.cause) })
	m.notices = newNotices(m.registry)
	m.registry.MustRegister(m.requests, m.latency, m.issued, m.introspections, m.decisions, m.signed, m.signingKey, m.authentication, m.store, m.batches, m.trips,
		m.limits, m.chatty, m.auditFailures, m.unsuitable, m.rollbacks, m.replicas, m.unconfirmed, m.secretsExpiring, m.partnersExpiring, m.keysExpiring, m.reloads, m.codesSent, m.codesTried, m.locked, m.connections, m.refused,
		m.phonesUnreadable, m.skew, m.certificates, m.handshakes, m.spans,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "grantd_feed_age_seconds", Help: "Time since the feed was last confirmed; tokens are refused with 503 above cache.max_staleness.",
		}, func() float64 { return feed().Age().Seconds() }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "grantd_feed_entries", Help: "Entries of the feed that this process keeps in memory.",
		}, func() float64 { return float64(feed().Entries()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "grantd_store_kinds_held_back", Help: "Kinds of records (client, org, customer, partner, key, grant) that are held back since the store came back older.",
		}, func() float64 { return float64(len(feed().Hold().Left())) }),
		buildInfo(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func buildInfo() prometheus.Collector {
	build := version.Read()
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "grantd_build_info", Help: "Always 1. The labels are the versions of grantd and of Go.",
	}, []string{"version", "go_version"})
	g.WithLabelValues(build.Version, build.Go).Set(1)
	return g
}

// Handler returns a handler that serves the metrics.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+Path, promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	return mux
}

// Requests returns a function that counts the finished requests of a listener.
func (m *Metrics) Requests(listener string) func(route string, code int, took time.Duration) {
	counters := newLookup(func(l requestLabels) prometheus.Counter {
		return m.requests.WithLabelValues(listener, l.route, strconv.Itoa(l.code))
	})
	latency := newLookup(func(route string) prometheus.Observer { return m.latency.WithLabelValues(listener, route) })
	return func(route string, code int, took time.Duration) {
		counters.get(requestLabels{route, code}).Inc()
		latency.get(route).Observe(took.Seconds())
	}
}

// CountIssued counts an issued token.
func (m *Metrics) CountIssued(use string) { m.byUse.get(use).Inc() }

// SigningKeySince sets since when the key that signs introspection has signed.
func (m *Metrics) SigningKeySince(t time.Time) { m.signingKey.Set(float64(t.Unix())) }

// CountSigned counts an introspection whose response was signed.
func (m *Metrics) CountSigned() { m.signed.Inc() }

// CountIntrospected counts an introspection. cache is hit, miss, or none if
// neither the cache nor the store was needed.
func (m *Metrics) CountIntrospected(active bool, cache string) {
	result := "inactive"
	if active {
		result = "active"
	}
	m.byResult.get(introspectionLabels{result, cache}).Inc()
}

// Authenticated counts a client authentication with the result ok, old_secret,
// refused or limited. cause is one of package refusal, or "".
func (m *Metrics) Authenticated(result, cause string) {
	m.byOutcome.get(authLabels{result, cause}).Inc()
}

// LimitHit counts a request over the limit with the name.
func (m *Metrics) LimitHit(limit string) { m.limits.WithLabelValues(limit).Inc() }

// Chatty counts a report of a client that does not cache its tokens.
func (m *Metrics) Chatty() { m.chatty.Inc() }

// AuditFailed counts audit events that could not be stored.
func (m *Metrics) AuditFailed(events int) { m.auditFailures.Add(float64(events)) }

func setIf(g prometheus.Gauge, is bool) {
	g.Set(0)
	if is {
		g.Set(1)
	}
}

// PhoneUnreadable counts a customer's record whose phone numbers could not be
// decrypted when it was read.
func (m *Metrics) PhoneUnreadable() { m.phonesUnreadable.Inc() }

// Reloaded counts a reload of catalogue, tls, phone_keys or log.
func (m *Metrics) Reloaded(what string, err error) {
	result := "ok"
	if err != nil {
		result = "failed"
	}
	m.reloads.WithLabelValues(what, result).Inc()
}

// ClockSkew sets how far the clock is ahead of that of Redis.
func (m *Metrics) ClockSkew(skew time.Duration) { m.skew.Set(skew.Seconds()) }

// CertificateEnds sets when the certificate of the listener expires.
func (m *Metrics) CertificateEnds(listener string, at time.Time) {
	m.certificates.WithLabelValues(listener).Set(float64(at.Unix()))
}

// HandshakeFailed counts a TLS handshake that failed.
func (m *Metrics) HandshakeFailed(listener, reason string) {
	m.handshakes.WithLabelValues(listener, reason).Inc()
}

// SpansSent counts the spans of a request to the collector of traces.
func (m *Metrics) SpansSent(spans int, err error) {
	result := "ok"
	if err != nil {
		result = "failed"
	}
	m.spans.WithLabelValues(result).Add(float64(spans))
}
