package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/redisstore"
)

// issuer is the same for all, so that responses have the same length.
const issuer = "http://127.0.0.1:8080"

// grantd is one grantd process with a store and clients.
type grantd struct {
	*process // nil while it does not run
	lab      *lab
	name     string
	redis    *redisServer // nil: on the embedded store
	settings settings
	url      string
	client   credentials // gets tokens
	server   credentials // introspects
	tokens   tokenList   // seeded
	bearer   string      // token of the backend that makes customer tokens, or the partner's token; empty without them
}

// settings are the differences from a grantd with default settings.
type settings struct {
	cacheEntries int     // 0: the default
	unlimited    bool    // wrong secrets are counted, and never too many
	metrics      string  // listener of the metrics; "": any port
	gateways     bool    // nginx on this machine may ask /forward-auth
	has          variant // customers: the tokens are for a customer; partners: there is a partner
}

type credentials struct {
	ID       string `json:"client_id"`
	Secret   string `json:"client_secret"`
	SecretID string `json:"secret_id"`
}

func (g *grantd) dir() string    { return filepath.Join(g.lab.dir, g.name) }
func (g *grantd) socket() string { return filepath.Join(g.dir(), "admin.sock") }
func (g *grantd) data() string   { return filepath.Join(g.dir(), "data") }
func (g *grantd) prefix() string { return g.name + ":" }

// config returns its configuration file.
func (g *grantd) config() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("environment: sandbox\nshutdown: {drain: 0s}")
	line("issuer: %s", issuer)
	if g.settings.gateways {
		line("public: {listen: \"127.0.0.1:0\", trusted_proxies: [127.0.0.1]}\nforward_auth: {headers: %s}", gateway.Originals)
	} else {
		line(`public: {listen: "127.0.0.1:0"}`)
	}
	line("admin: {socket: %q}", g.socket())
	if g.settings.metrics == "" {
		line(`metrics: {listen: "127.0.0.1:0"}`)
	} else {
		line("metrics: {listen: %q}", g.settings.metrics)
	}
	line("store:\n  embedded: {path: %q}", g.data())
	if g.redis != nil {
		line("  backend: redis\n  redis: {addresses: [%q], key_prefix: %q}", g.redis.address, g.prefix())
	}
	if g.settings.cacheEntries > 0 {
		line("cache: {max_entries: %d}", g.settings.cacheEntries)
	}
	// One client does what many do in production, so its quotas are off.
	line("limits:")
	for _, quota := range []string{"issue_per_client", "revocations_per_client", "customer_tokens_per_client", "on_behalf_tokens_per_partner"} {
		line("  %s: {count: 0}", quota)
	}
	if g.settings.unlimited {
		const many = "{count: 1000000000, per: 1m}"
		line("  auth_failures_per_client_and_address: %s\n  auth_failures_per_address: %s", many, many)
	}
	return b.String()
}

// begin starts it, waits until it is ready, and returns how long that took.
func (g *grantd) begin(ctx context.Context) (time.Duration, error) {
	if _, err := g.lab.sub(g.name); err != nil {
		return 0, err
	}
	path, err := g.lab.write(g.name+".yaml", g.config())
	if err != nil {
		return 0, err
	}
	started := time.Now()
	if g.process, err = g.lab.start(ctx, g.name, g.lab.grantd, "serve", "--config", path); err != nil {
		return 0, err
	}
	line, err := g.waitReady(ctx)
	if err != nil {
		g.process.stop()
		return 0, err
	}
	took := time.Since(started)
	g.url, _, _ = strings.Cut(strings.TrimPrefix(line, "ready public="), " ")
	return took, nil
}

// createClients creates the client and the resource server with the command
// line.
func (g *grantd) createClients(ctx context.Context) (err error) {
	if g.settings.has != customers {
		if g.client, err = g.create(ctx, "--id", "bench", "--scope", "users:read users:write"); err != nil {
			return err
		}
		if g.server, err = g.create(ctx, "--id", "bench-rs", "--introspect"); err != nil || g.settings.has != partners {
			return err
		}
		return g.createPartner(ctx)
	}
	if _, err = g.admin(ctx, "org", "put", benchOrg, "--name", "Shared Client 2"); err != nil {
		return err
	}
	if g.client, err = g.create(ctx, "--id", "bench", "--org", benchOrg, "--scope", backendScope); err != nil {
		return err
	}
	if _, err = g.admin(ctx, "customer", "put", customerID, "--org", benchOrg, "--type", "individual", "--phone", "+15555550136"); err != nil {
		return err
	}
	g.server, err = g.create(ctx, "--id", "bench-rs", "--introspect", "--token-use", "client", "--token-use", "customer")
	return err
}

// The records for customer and on-behalf tokens.
const (
	benchOrg     = "h5D8B5gyHtk="
	backendScope = "customers cards customer-token-write"
	benchPartner = "hurdlr"
)

// createPartner creates a partner that may act for an org.
func (g *grantd) createPartner(ctx context.Context) error {
	for _, args := range [][]string{
		{"org", "put", benchOrg, "--name", "Shared Client 2"},
		{"partner", "put", benchPartner, "--name", "Hurdlr", "--scope", "customers cards"},
		{"partner", "grant", benchPartner, benchOrg, "--scope", "customers cards"},
	} {
		if _, err := g.admin(ctx, args...); err != nil {
			return err
		}
	}
	out, err := g.admin(ctx, "partner", "token", "create", benchPartner, "--name", "bench")
	if err != nil {
		return err
	}
	var created struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(out, &created); err != nil {
		return fmt.Errorf("%s: partner token create: %w", g.name, err)
	}
	g.bearer = created.Token
	return nil
}

// admin runs a command of the command line and returns its output.
func (g *grantd) admin(ctx context.Context, args ...string) ([]byte, error) {
	named := strings.Join(args[:2], " ")
	out, err := exec.CommandContext(ctx, g.lab.grantd, append(args, "--socket", g.socket(), "--output", "json")...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			out = exit.Stderr
		}
		return nil, fmt.Errorf("%s: %s: %w: %s", g.name, named, err, oneLine(out))
	}
	return out, nil
}

func (g *grantd) create(ctx context.Context, args ...string) (c credentials, err error) {
	out, err := g.admin(ctx, append([]string{"client", "create"}, args...)...)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(out, &c); err != nil {
		return c, fmt.Errorf("%s: client create: %w", g.name, err)
	}
	return c, nil
}

// prepare creates its clients and count live tokens, and puts every n-th of them
// into its list, with n = every. Afterwards it is stopped.
func (g *grantd) prepare(ctx context.Context, count, every int) error {
	if _, err := g.begin(ctx); err != nil {
		return err
	}
	err := g.createClients(ctx)
	g.process.stop() // it has locked the file of the embedded store
	if err != nil || count == 0 {
		return err
	}
	st, err := g.open(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	s := seed{
		prefix: g.tokenPrefix(), count: count, every: every,
		path:   filepath.Join(g.lab.dir, g.name+".tokens"),
		record: store.Token{Use: store.UseClient, ClientID: g.client.ID, SecretID: g.client.SecretID, Scopes: "users:read users:write"},
		said:   func(done int) { g.lab.say("%s: %d of %d tokens", g.name, done, count) },
	}
	if g.settings.has == customers {
		if err := g.seedBearer(ctx, st, s); err != nil {
			return err
		}
		s.record.Use, s.record.OrgID, s.record.CustomerID, s.record.Scopes = store.UseCustomer, benchOrg, customerID, "cards"
		s.record.Parents = []string{tokens.ID(tokens.DigestOf(g.bearer))}
	}
	g.lab.say("%s: seeding %d tokens", g.name, count)
	if g.tokens, err = s.put(ctx, st); err != nil {
		return fmt.Errorf("%s: %w", g.name, err)
	}
	return st.Close()
}

// seedBearer stores a token that can create customer tokens.
func (g *grantd) seedBearer(ctx context.Context, st store.Store, s seed) error {
	s.count, s.every, s.path = 1, 1, filepath.Join(g.lab.dir, g.name+".bearer")
	s.record.OrgID, s.record.Scopes = benchOrg, backendScope
	list, err := s.put(ctx, st)
	if err == nil {
		g.bearer, err = list.one()
	}
	return err
}

// open opens its store. It must not be running.
func (g *grantd) open(ctx context.Context) (store.Store, error) {
	if g.redis == nil {
		return embedded.Open(embedded.Options{Path: g.data()})
	}
	return redisstore.Open(ctx, redisstore.Options{Addresses: []string{g.redis.address}, KeyPrefix: g.prefix(), PoolSize: seeders})
}

// tokenPrefix returns the prefix of its tokens.
func (g *grantd) tokenPrefix() string { return config.Defaults().TokenPrefix() }
