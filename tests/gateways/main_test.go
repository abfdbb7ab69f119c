package gateways

import (
	"os"
	"testing"

	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/tests/parallel"
)

func TestMain(m *testing.M) { os.Exit(parallel.Main(m, 8)) }

// all are the gateways.
var all = []Gateway{nginx, apache, caddy, haproxy}

// TestGateways runs every case at every gateway, in front of the server and of the edge.
func TestGateways(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs programs of others")
	}
	worlds := map[gateway.Family]*world{}
	for _, g := range all {
		w := worlds[g.Family]
		if w == nil {
			w = newWorld(t, g.Family)
			worlds[g.Family] = w
		}
		for _, d := range w.deciders() {
			t.Run(g.Name+"/"+d.name, func(t *testing.T) {
				t.Parallel()
				w.run(t, g, d)
			})
		}
	}
}
