package gateways

import (
	"os"
	"testing"

	"github.com/grantd/grantd/tests/parallel"
)

func TestMain(m *testing.M) { os.Exit(parallel.Main(m, 8)) }

// all are the gateways.
var all = []Gateway{nginx, caddy, haproxy}

// TestGateways runs every case at every gateway.
func TestGateways(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs programs of others")
	}
	w := newWorld(t)
	for _, g := range all {
		t.Run(g.Name, func(t *testing.T) {
			t.Parallel()
			w.Run(t, g)
		})
	}
}
