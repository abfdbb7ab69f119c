package metrics

import "time"

// CodeSent measures a verification code that was passed to the sender. sent
// says whether the sender accepted it.
func (m *Metrics) CodeSent(channel string, sent bool, took time.Duration) {
	result := "failed"
	if sent {
		result = "ok"
	}
	m.codesSent.WithLabelValues(channel, result).Observe(took.Seconds())
}

// CodeTried counts a verification code that was tried.
func (m *Metrics) CodeTried(right bool) {
	result := "wrong"
	if right {
		result = "right"
	}
	m.codesTried.WithLabelValues(result).Inc()
}

// CustomerLocked counts that wrong codes locked a customer. by says which:
// wrong_codes_in_row or wrong_codes_per_day.
func (m *Metrics) CustomerLocked(by string) { m.locked.WithLabelValues(by).Inc() }
