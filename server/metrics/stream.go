package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Stream counts the streams of revocations.
type Stream struct {
	readers prometheus.Gauge
	voids   prometheus.Counter
	resets  *prometheus.CounterVec
	ended   *prometheus.CounterVec
	refused *prometheus.CounterVec
	delay   prometheus.Histogram
}

// NewStream returns the collectors of the streams. The reasons have a series from the
// start.
func (m *Metrics) NewStream(resets, ends, refusals []string) *Stream {
	s := &Stream{
		readers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "grantd_revocation_readers", Help: "Open streams of GET /oauth/revocations.",
		}),
		voids: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "grantd_revocation_void_keys_total", Help: "Void keys that were published to streams, each once for all readers.",
		}),
		resets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grantd_revocation_resets_total", Help: "Resets that readers were sent, by reason; each one makes a resource server drop its cache.",
		}, []string{"reason"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grantd_revocation_streams_ended_total", Help: "Streams that ended, by reason; METRICS.md explains the reasons.",
		}, []string{"reason"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grantd_revocation_streams_refused_total", Help: "Streams that were refused, by reason; METRICS.md explains the reasons.",
		}, []string{"reason"}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "grantd_revocation_delay_seconds", Help: "Time from the publication of void keys until a reader was sent them.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1},
		}),
	}
	for _, series := range []struct {
		of      *prometheus.CounterVec
		reasons []string
	}{{s.resets, resets}, {s.ended, ends}, {s.refused, refusals}} {
		for _, reason := range series.reasons {
			series.of.WithLabelValues(reason)
		}
	}
	m.registry.MustRegister(s.readers, s.voids, s.resets, s.ended, s.refused, s.delay)
	return s
}

// ReadersChanged sets how many streams are open.
func (s *Stream) ReadersChanged(open int) { s.readers.Set(float64(open)) }

// CountVoids counts void keys that were published.
func (s *Stream) CountVoids(keys int) { s.voids.Add(float64(keys)) }

// CountReset counts a reset that a reader was sent.
func (s *Stream) CountReset(why string) { s.resets.WithLabelValues(why).Inc() }

// CountEnded counts a stream that ended.
func (s *Stream) CountEnded(why string) { s.ended.WithLabelValues(why).Inc() }

// CountStreamRefused counts a stream that was refused.
func (s *Stream) CountStreamRefused(why string) { s.refused.WithLabelValues(why).Inc() }

// ObserveDelay measures how long it took until a reader was sent void keys.
func (s *Stream) ObserveDelay(took time.Duration) { s.delay.Observe(took.Seconds()) }
