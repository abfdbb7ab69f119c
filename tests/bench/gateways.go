package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/grantd/grantd/server/gateway"
)

// gateways are what a request costs that nginx passes on after it has asked grantd,
// beside one that it passes on without asking.
type gateways struct {
	Machine machine   `json:"machine"`
	Rounds  int       `json:"rounds"` // in which both take turns
	Seconds float64   `json:"seconds_per_measurement"`
	Goals   []goal    `json:"goals"`
	Guarded []guarded `json:"guarded"` // medians
}

// guarded are the waiting times of callers of one nginx, in microseconds.
type guarded struct {
	Decider   string  `json:"decider"`
	After     float64 `json:"api_ms"` // how long a request takes at the API
	P50       float64 `json:"p50_us"`
	Unguarded float64 `json:"p50_us_unguarded"`
	Ratio     float64 `json:"p50_ratio"` // the median of the ratios of the rounds
}

// What nginx asks.
const (
	deciderEdge   = "edge"
	deciderServer = "server"
)

// workOfAPI is how long the API of the goal takes: as long as a query of a database.
// Beside an API that does nothing, everything is slow.
const workOfAPI = time.Millisecond

// gatewayLab is what the case is measured with.
type gatewayLab struct {
	*bench
	grantd *grantd
}

// gateways measures with a separate Redis and grantd.
func (b *bench) gateways(ctx context.Context, m machine) (*gateways, error) {
	defer b.lab.endAll()
	b.lab.say("requests through nginx")
	redis, err := startRedis(ctx, b.lab, "gateways-redis-server")
	if err != nil {
		return nil, err
	}
	l := &gatewayLab{b, &grantd{lab: b.lab, name: "gateways", redis: redis, settings: settings{gateways: true}}}
	if err := l.grantd.prepare(ctx, hotTokens, 1); err != nil {
		return nil, err
	}
	if _, err := l.grantd.begin(ctx); err != nil {
		return nil, err
	}
	edge, err := l.grantd.startEdge(ctx, "gateways-edge", "127.0.0.1:0", "--forward-auth-headers", string(gateway.Originals))
	if err != nil {
		return nil, err
	}
	g := &gateways{Machine: m, Rounds: b.o.rounds, Seconds: b.o.took.Seconds()}
	for _, after := range []time.Duration{0, workOfAPI} {
		api, err := l.startAPI(ctx, after)
		if err != nil {
			return nil, err
		}
		for _, d := range []struct{ name, url string }{{deciderEdge, edge.at}, {deciderServer, l.grantd.url}} {
			row := guarded{Decider: d.name, After: after.Seconds() * 1e3}
			if err := l.compare(ctx, &row, d.url, api); err != nil {
				return nil, err
			}
			g.Guarded = append(g.Guarded, row)
		}
	}
	g.evaluate()
	return g, nil
}

func (l *gatewayLab) startAPI(ctx context.Context, after time.Duration) (url string, err error) {
	p, err := l.lab.start(ctx, "api-"+after.String(), l.lab.api, "-after", after.String())
	if err != nil {
		return "", err
	}
	line, err := p.waitReady(ctx)
	return strings.TrimPrefix(line, "ready public="), err
}

// compare measures the requests of one caller through an nginx between the decider and
// the API: guarded and unguarded ones, in turns.
func (l *gatewayLab) compare(ctx context.Context, row *guarded, decider, api string) error {
	url, err := l.startNginx(ctx, fmt.Sprintf("nginx-%s-%g", row.Decider, row.After), decider, api)
	if err != nil {
		return err
	}
	var p50, unguarded, ratios []float64
	paths := []string{"/accounts/12", "/public/12"}
	for round := range l.o.rounds {
		var both [2]float64
		for turn := range paths {
			i := (round + turn) % len(paths) // each is first in every second round
			done, err := l.run(ctx, job{
				head: "GET " + paths[i] + " HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer ", tail: "\r\n\r\n", source: fromList,
				list: l.grantd.tokens.part(0, hotTokens), status: http.StatusOK, want: []rule{{exact: "ok"}}, url: url, took: l.o.took, conns: 1,
			})
			if err != nil {
				return err
			}
			both[i] = float64(done.P50US)
		}
		p50, unguarded, ratios = append(p50, both[0]), append(unguarded, both[1]), append(ratios, both[0]/both[1])
	}
	row.P50, row.Unguarded, row.Ratio = median(p50), median(unguarded), median(ratios)
	return nil
}

// startNginx starts nginx with deploy/gateways/nginx.conf, without TLS, and with what
// this grantd has instead of its scopes and kinds of tokens. It returns its URL.
func (l *gatewayLab) startNginx(ctx context.Context, name, decider, api string) (string, error) {
	port, err := freePort()
	if err != nil {
		return "", err
	}
	dir, err := l.lab.sub(name)
	if err != nil {
		return "", err
	}
	address := "127.0.0.1:" + port
	pairs := []string{
		"listen 443 ssl http2;", "listen " + address + ";",
		"    ssl_certificate /etc/nginx/api.example.com.crt;\n", "", "    ssl_certificate_key /etc/nginx/api.example.com.key;\n", "",
		"server 127.0.0.1:8090", "server " + strings.TrimPrefix(decider, "http://"), "server 127.0.0.1:9000", "server " + strings.TrimPrefix(api, "http://"),
		"?scope=accounts;", "?scope=users:read;",
	}
	for from, to := range map[string]string{filepath.Join("deploy", "gateways", "nginx.conf"): "grantd.conf", filepath.Join("tests", "gateways", "testdata", "nginx.conf"): "nginx.conf"} {
		b, err := os.ReadFile(filepath.Join(l.lab.root, from))
		if err != nil {
			return "", err
		}
		text := strings.ReplaceAll(strings.NewReplacer(pairs...).Replace(string(b)), "RUN/", dir+"/")
		if err := os.WriteFile(filepath.Join(dir, to), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	p, err := l.lab.start(ctx, name, "/usr/sbin/nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	if err != nil {
		return "", err
	}
	for begun := time.Now(); time.Since(begun) < startTime; time.Sleep(tick) {
		if err := p.alive(); err != nil {
			return "", err
		}
		if c, err := net.Dial("tcp", address); err == nil {
			return "http://" + address, c.Close()
		}
	}
	return "", fmt.Errorf("nginx does not listen on %s", address)
}

// evaluate fills in the goal.
func (g *gateways) evaluate() {
	goal := goal{Name: fmt.Sprintf("p50 of a request through nginx that asks an edge, API of %v: to that of an unguarded one", workOfAPI), Limit: 1.25, Unit: "×"}
	for _, row := range g.Guarded {
		if row.Decider == deciderEdge && row.After > 0 {
			goal.Measured = fine(row.Ratio)
		}
	}
	g.Goals = append(g.Goals, goal)
	judgeGoals(g.Goals)
}

func (g *gateways) tables() []table {
	t := table{
		title: "What a guarded request through nginx costs", text: 2,
		head: []string{"nginx asks the", "a request takes the API", "p50 µs", "p50 µs, unguarded", "ratio", "more, µs"},
		note: fmt.Sprintf("deploy/gateways/nginx.conf without TLS. One caller, which sends a request after the other, with one of %d tokens that the decider has cached; guarded and unguarded requests take turns, %d times %g s each.", hotTokens, g.Rounds, g.Seconds),
	}
	for _, row := range g.Guarded {
		t.add(row.Decider, fmt.Sprintf("%g ms", row.After), fmt.Sprintf("%.0f", row.P50), fmt.Sprintf("%.0f", row.Unguarded), fmt.Sprintf("%.3g ×", row.Ratio), fmt.Sprintf("%.0f", row.P50-row.Unguarded))
	}
	return []table{goalTable(g.Goals), t}
}
