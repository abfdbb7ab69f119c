package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// EdgeState is what the metrics of 'grantd edge' show of its cache of tokens.
type EdgeState struct {
	Ready, Connected     bool
	Age                  time.Duration // of what it knows about revocations
	Entries              int
	Hits, Misses, Resets uint64
	Tokens               int // of the token source
}

// Edge holds the collectors of 'grantd edge', in a separate registry. Safe for
// concurrent use.
type Edge struct {
	registry       *prometheus.Registry
	requests       *prometheus.CounterVec
	latency        *prometheus.HistogramVec
	introspections *prometheus.CounterVec
	secrets        *prometheus.CounterVec
	fetched        *prometheus.CounterVec
	decisions      decisions
	connections    prometheus.Gauge
	refused        *prometheus.CounterVec

	byResult *lookup[string, prometheus.Counter]
}

// edgeBuckets are few: each costs memory for every route.
var edgeBuckets = []float64{.00005, .0001, .00025, .0005, .001, .005, .01, .05, .1, .5, 1, 5}

// NewEdge returns the collectors. state is called for each scrape.
func NewEdge(state func() EdgeState) *Edge {
	m := &Edge{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grantd_edge_http_requests_total", Help: "Requests by route and status code.",
		}, []string{"route", "code"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "grantd_edge_http_request_duration_seconds", Help: "Time from the first byte of a request to its response, by route.", Buckets: edgeBuckets,
		}, []string{"route"}),
		introspections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grantd_edge_introspections_total", Help: "Introspections and decisions for gateways by result (active, inactive, unavailable).",
		}, []string{"result"}),
		secrets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grantd_edge_secret_checks_total", Help: "Secrets of callers that are not in the file and were checked at the server, by result (right, wrong, unavailable, limited).",
		}, []string{"result"}),
		fetched: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grantd_edge_tokens_fetched_total", Help: "Tokens that the token source requested, by result (ok, refused, limited, unavailable).",
		}, []string{"result"}),
		decisions: newDecisions("grantd_edge_forward_auth_decisions_total"),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "grantd_edge_connections", Help: "Open connections.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grantd_edge_connections_refused_total", Help: "Connections and requests refused by reason.",
		}, []string{"reason"}),
	}
	m.byResult = newLookup(func(result string) prometheus.Counter { return m.introspections.WithLabelValues(result) })
	m.registry.MustRegister(m.requests, m.latency, m.introspections, m.decisions, m.secrets, m.fetched, m.connections, m.refused,
		buildInfo(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.show(state)
	return m
}

// show registers what is read from the state at each scrape.
func (m *Edge) show(state func() EdgeState) {
	gauge := func(name, help string, value func(EdgeState) float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(state()) }))
	}
	counter := func(name, help string, value func(EdgeState) float64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return value(state()) }))
	}
	gauge("grantd_edge_ready", "1 while tokens are judged, from the cache or by asking the server; /readyz is 503 otherwise.", func(s EdgeState) float64 { return one(s.Ready) })
	gauge("grantd_edge_stream_connected", "1 while the stream of revocations is open.", func(s EdgeState) float64 { return one(s.Connected) })
	gauge("grantd_edge_age_seconds", "Age of what is known about revocations.", func(s EdgeState) float64 { return s.Age.Seconds() })
	gauge("grantd_edge_cache_entries", "Tokens in the cache.", func(s EdgeState) float64 { return float64(s.Entries) })
	gauge("grantd_edge_source_tokens", "Tokens that the token source holds.", func(s EdgeState) float64 { return float64(s.Tokens) })
	counter("grantd_edge_cache_hits_total", "Tokens that were judged from the cache.", func(s EdgeState) float64 { return float64(s.Hits) })
	counter("grantd_edge_cache_misses_total", "Tokens that the server was asked about.", func(s EdgeState) float64 { return float64(s.Misses) })
	counter("grantd_edge_cache_resets_total", "Times that everything cached was dropped.", func(s EdgeState) float64 { return float64(s.Resets) })
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Handler returns a handler that serves the metrics.
func (m *Edge) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Requests returns a function that counts the finished requests.
func (m *Edge) Requests() func(route string, code int, took time.Duration) {
	counters := newLookup(func(l requestLabels) prometheus.Counter {
		return m.requests.WithLabelValues(l.route, strconv.Itoa(l.code))
	})
	latency := newLookup(func(route string) prometheus.Observer { return m.latency.WithLabelValues(route) })
	return func(route string, code int, took time.Duration) {
		counters.get(requestLabels{route, code}).Inc()
		latency.get(route).Observe(took.Seconds())
	}
}

// CountIntrospected counts an introspection with the result active, inactive or
// unavailable.
func (m *Edge) CountIntrospected(result string) { m.byResult.get(result).Inc() }

// CountSecret counts a secret that was checked at the server, with the result right,
// wrong, unavailable or limited.
func (m *Edge) CountSecret(result string) { m.secrets.WithLabelValues(result).Inc() }

// CountFetched counts a request for a token, with the result ok, refused, limited or
// unavailable.
func (m *Edge) CountFetched(result string) { m.fetched.WithLabelValues(result).Inc() }

// Connections sets how many connections are open.
func (m *Edge) Connections(open int) { m.connections.Set(float64(open)) }

// ConnectionRefused counts a connection or request that was refused.
func (m *Edge) ConnectionRefused(reason string) { m.refused.WithLabelValues(reason).Inc() }
