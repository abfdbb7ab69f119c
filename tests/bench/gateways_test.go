package main

import (
	"strings"
	"testing"
)

// sampleGateways are results of the case gateways.
func sampleGateways() *gateways {
	g := &gateways{Rounds: 8, Seconds: 2, Guarded: []guarded{
		{Decider: deciderEdge, P50: 200, Unguarded: 50, Ratio: 4},
		{Decider: deciderEdge, After: 1, P50: 1500, Unguarded: 1250, Ratio: 1.2},
		{Decider: deciderServer, After: 1, P50: 2500, Unguarded: 1250, Ratio: 2},
	}}
	g.evaluate()
	return g
}

// TestGatewayGoal: the goal is about the edge, and the API that does something.
func TestGatewayGoal(t *testing.T) {
	g := sampleGateways()
	if len(g.Goals) != 1 || !g.Goals[0].Reached || *g.Goals[0].Measured != 1.2 {
		t.Errorf("%+v", g.Goals)
	}
	none := &gateways{}
	if none.evaluate(); none.Goals[0].Reached {
		t.Error("a goal is reached that was not measured")
	}
	var text strings.Builder
	for _, table := range g.tables() {
		table.markdown(&text)
	}
	for _, want := range []string{"| edge | 1 ms | 1500 | 1250 | 1.2 × | 250 |", "| server | 1 ms | 2500 | 1250 | 2 × | 1250 |"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
}
