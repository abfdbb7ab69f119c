package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// notices are the collectors of the notices to the operator's webhook.
type notices struct {
	done    *prometheus.CounterVec
	pending prometheus.Gauge
	oldest  prometheus.Gauge
}

func newNotices(r *prometheus.Registry) notices {
	n := notices{
		done: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grantd_notices_total", Help: "Tries to post a notice to notices.webhook, by result (sent, failed: it is tried again, dropped: it failed for three days).",
		}, []string{"result"}),
		pending: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "grantd_notices_pending", Help: "Notices that wait to be sent, of all replicas.",
		}),
		oldest: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "grantd_notices_oldest_pending_seconds", Help: "How long the oldest pending notice has waited; 0: none waits.",
		}),
	}
	r.MustRegister(n.done, n.pending, n.oldest)
	return n
}

// NoticeDone counts a try to post a notice: sent, failed or dropped.
func (m *Metrics) NoticeDone(result string) { m.notices.done.WithLabelValues(result).Inc() }

// NoticesPending sets how many notices wait, and how long the oldest has.
func (m *Metrics) NoticesPending(n int, oldest time.Duration) {
	m.notices.pending.Set(float64(n))
	m.notices.oldest.Set(oldest.Seconds())
}
