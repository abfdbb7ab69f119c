package metrics

import "github.com/prometheus/client_golang/prometheus"

// decisions counts decisions about calls of APIs.
type decisions struct {
	*prometheus.CounterVec
	byLabels *lookup[decisionLabels, prometheus.Counter]
}

func newDecisions(name string) decisions {
	d := decisions{CounterVec: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: name, Help: "Decisions of /forward-auth by outcome (passed, refused, unavailable) and cause of a refusal.",
	}, []string{"outcome", "cause"})}
	d.byLabels = newLookup(func(l decisionLabels) prometheus.Counter { return d.WithLabelValues(l.outcome, l.cause) })
	return d
}

func (d *decisions) count(outcome, cause string) {
	d.byLabels.get(decisionLabels{outcome, cause}).Inc()
}

// CountDecision counts a decision of /forward-auth. outcome is passed, refused or
// unavailable; cause says why it is refused.
func (m *Metrics) CountDecision(outcome, cause string) { m.decisions.count(outcome, cause) }

// CountDecision counts a decision of /forward-auth, as that of Metrics does.
func (m *Edge) CountDecision(outcome, cause string) { m.decisions.count(outcome, cause) }
