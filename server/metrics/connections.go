package metrics

// Connections returns a function that sets how many connections of the listener are
// open.
func (m *Metrics) Connections(listener string) func(open int) {
	gauge := m.connections.WithLabelValues(listener)
	return func(open int) { gauge.Set(float64(open)) }
}

// ConnectionRefused returns a function that counts the connections and requests of
// the listener that are refused, by reason.
func (m *Metrics) ConnectionRefused(listener string) func(reason string) {
	return func(reason string) { m.refused.WithLabelValues(listener, reason).Inc() }
}
