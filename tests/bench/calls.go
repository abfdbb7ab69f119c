package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/grantd/grantd/scopes/guard"
)

// calls are what it costs a resource server to check the token of each call that it
// serves.
type calls struct {
	Machine machine `json:"machine"`
	Rounds  int     `json:"rounds"`
	Seconds float64 `json:"seconds_per_measurement"`
	Goals   []goal  `json:"goals"`
	Ways    []paid  `json:"ways"`   // medians
	Check   check   `json:"check"`  // of the guard, alone
	Gin     pair    `json:"gin"`    // a guarded gin handler to one that does nothing
	Edge    pair    `json:"edge"`   // the edge to the server, for tokens that both have cached
	Delays  []delay `json:"delays"` // of revocations
	// EdgeResident is what an edge takes with edgeTokens cached, after a load.
	EdgeResident int64 `json:"edge_resident_bytes"`
}

// edgeTokens is how many tokens the edge has cached whose memory is measured.
const edgeTokens = 10_000

// callLab is what the calls are measured with: a grantd on Redis, two edges, a program
// with a guarded gin handler, and a guard in this process.
type callLab struct {
	*bench
	grantd   *grantd
	target   *target
	edge     *edgeProcess // over TCP
	local    *edgeProcess // over a unix socket
	gin      *process
	ginURL   string
	guard    *guard.Guard
	list     []string // the first tokens of the grantd's list
	revoking []string // others, to be revoked
	http     *http.Client
}

// calls measures them with a separate Redis and grantd.
func (b *bench) calls(ctx context.Context, m machine) (*calls, error) {
	defer b.lab.endAll()
	b.lab.say("calls of a resource server")
	l, err := b.callLab(ctx)
	if err != nil {
		return nil, err
	}
	defer l.guard.Close()
	c := &calls{Machine: m, Rounds: b.o.rounds, Seconds: b.o.took.Seconds()}
	if c.Ways, err = l.ways(ctx); err != nil {
		return nil, err
	}
	if c.Check, err = l.checkAlone(ctx); err != nil {
		return nil, err
	}
	b.lab.say("a guarded gin handler")
	if c.Gin, err = l.compareGin(ctx); err != nil {
		return nil, err
	}
	b.lab.say("the edge beside the server")
	if c.Edge, err = l.compareEdge(ctx); err != nil {
		return nil, err
	}
	b.lab.say("revocations")
	if c.Delays, err = l.delays(ctx); err != nil {
		return nil, err
	}
	b.lab.say("memory of the edge")
	c.EdgeResident, err = l.edgeResident(ctx)
	c.evaluate()
	return c, err
}

// callLab starts everything.
func (b *bench) callLab(ctx context.Context) (*callLab, error) {
	redis, err := startRedis(ctx, b.lab, "calls-redis-server")
	if err != nil {
		return nil, err
	}
	l := &callLab{
		bench: b, grantd: &grantd{lab: b.lab, name: "calls", redis: redis},
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	if err := l.grantd.prepare(ctx, edgeTokens, 1); err != nil {
		return nil, err
	}
	if _, err := l.grantd.begin(ctx); err != nil {
		return nil, err
	}
	l.target = &target{name: "calls", redis: redis, fleet: map[variant]*grantd{plain: l.grantd}, offsets: map[string]int64{}}
	if l.list, err = l.grantd.tokens.part(0, hotTokens).all(); err != nil {
		return nil, err
	}
	if l.revoking, err = l.grantd.tokens.part(hotTokens, 2*revocations).all(); err != nil {
		return nil, err
	}
	if l.edge, err = l.grantd.startEdge(ctx, "edge", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	if l.local, err = l.grantd.startEdge(ctx, "edge-unix", "unix:"+filepath.Join(b.lab.dir, "edge.sock")); err != nil {
		return nil, err
	}
	if err := l.startGin(ctx); err != nil {
		return nil, err
	}
	l.guard, err = guard.New(guard.Config{
		Issuer: issuer, Upstream: l.grantd.url, ClientID: l.grantd.server.ID, Secret: l.grantd.server.Secret,
		Log: slog.New(slog.DiscardHandler),
	})
	return l, err
}

// edgeProcess is a running `grantd edge`.
type edgeProcess struct {
	*process
	at string // what its ready line says: a URL, or unix: and a path
}

// startEdge starts an edge of the resource server, with further arguments.
func (g *grantd) startEdge(ctx context.Context, name, listen string, more ...string) (*edgeProcess, error) {
	secret, err := g.lab.write(name+".secret", g.server.Secret)
	if err != nil {
		return nil, err
	}
	p, err := g.lab.start(ctx, name, g.lab.grantd, append([]string{
		"edge", "--upstream", g.url, "--issuer", issuer, "--client-id", g.server.ID, "--client-secret-file", secret, "--listen", listen,
	}, more...)...)
	if err != nil {
		return nil, err
	}
	line, err := p.waitReady(ctx)
	at, _, _ := strings.Cut(strings.TrimPrefix(line, "ready edge="), " ")
	return &edgeProcess{p, at}, err
}

// startGin starts the program with the guarded handler.
func (l *callLab) startGin(ctx context.Context) (err error) {
	secret, err := l.lab.write("gin.secret", l.grantd.server.Secret)
	if err != nil {
		return err
	}
	l.gin, err = l.lab.start(ctx, "guarded", l.lab.guarded,
		"-issuer", issuer, "-upstream", l.grantd.url, "-id", l.grantd.server.ID, "-secret-file", secret)
	if err != nil {
		return err
	}
	line, err := l.gin.waitReady(ctx)
	l.ginURL = strings.TrimPrefix(line, "ready public=")
	return err
}

// edgeResident returns the memory of a new edge that has edgeTokens cached and has
// served a load.
func (l *callLab) edgeResident(ctx context.Context) (int64, error) {
	e, err := l.grantd.startEdge(ctx, "edge-memory", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	g := *l.grantd
	g.url = e.at
	left := g.tokens.part(hotTokens+2*revocations, edgeTokens) // the others are revoked
	if err := fill(ctx, &g, left); err != nil {
		return 0, err
	}
	if err := fill(ctx, &g, g.tokens.part(0, hotTokens)); err != nil {
		return 0, err
	}
	if _, err := l.hotLoad(ctx, e.at, time.Second); err != nil {
		return 0, err
	}
	return resident(e.pid())
}

// all reads the list.
func (t tokenList) all() ([]string, error) {
	var list []string
	for i := range t.count {
		token, err := t.part(i, 1).one()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.path, err)
		}
		list = append(list, token)
	}
	return list, nil
}
