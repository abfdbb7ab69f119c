package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const day = 24 * time.Hour

// windows are the values of the label of grantd_secrets_expiring.
var windows = []struct {
	label  string
	within time.Duration
}{{"1d", day}, {"7d", 7 * day}, {"30d", 30 * day}}

// CountExpiring sets the functions that count the secrets of clients, the tokens of
// partners and the API keys of orgs that expire within the time from now. They are
// called for each scrape.
func (m *Metrics) CountExpiring(secrets, partnerTokens, keys func(within time.Duration) int) {
	m.secretsExpiring.count.Store(&secrets)
	m.partnersExpiring.count.Store(&partnerTokens)
	m.keysExpiring.count.Store(&keys)
}

// expiring is a collector of credentials that expire soon: of each window if it has
// a label, and otherwise within 7 days.
type expiring struct {
	desc  *prometheus.Desc
	count atomic.Pointer[func(within time.Duration) int] // nil: nothing is collected
}

// Describe and Collect make it a prometheus.Collector.
func (e *expiring) Describe(to chan<- *prometheus.Desc) { to <- e.desc }

func (e *expiring) Collect(to chan<- prometheus.Metric) {
	count := e.count.Load()
	if count == nil {
		return
	}
	if m, err := prometheus.NewConstMetric(e.desc, prometheus.GaugeValue, float64((*count)(7*day))); err == nil { // without a label
		to <- m
		return
	}
	for _, w := range windows {
		to <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, float64((*count)(w.within)), w.label)
	}
}
