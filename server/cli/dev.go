package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/customers"
	"github.com/grantd/grantd/server/oauth"
	"github.com/grantd/grantd/server/orgs"
	"github.com/grantd/grantd/store"
)

// The records that 'grantd dev' creates.
const (
	demoID    = "demo"
	demoRSID  = "demo-rs"
	demoScope = "users:read users:write"
	demoTTL   = int64(7200)

	demoOrg          = "demo-org"
	demoCustomer     = "10001"
	demoPhone        = "+15555550136" // assigned to nobody
	demoBackendID    = "demo-backend"
	demoBackendScope = "customers cards cards-write customer-token-write"
)

func (a *app) devCommand() *cobra.Command {
	var listen string
	c := &cobra.Command{
		Use:   "dev",
		Short: "Try it: run a sandbox with a demo client and print commands to paste",
		Long: `Runs a sandbox server with a demo client and a demo resource server. It prints
their secrets and curl commands that request, introspect and revoke a token. It
also runs the demo resource server, an API on another port, which accepts the
token until it is revoked. The sandbox also has an org with a customer, and
prints the codes sent to it. Each request to the server is one line on standard
error, with the cause if it was refused.

The data is in a temporary folder that is removed when the server stops. The
configuration file and GRANTD_* variables are ignored.`,
		Example: `  grantd dev
  grantd dev --listen 127.0.0.1:0 --output json`,
		Args: operands(),
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "`ADDRESS` of this machine to listen on; port 0 selects a free port")
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		dir, err := os.MkdirTemp("", "grantd-dev-")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		cfg, err := devConfig(c, dir, listen)
		if err != nil {
			return err
		}
		o, flush := a.serverOptions(cfg)
		defer flush()
		lines := &held{out: a.err}
		defer lines.release()
		o.Log = slog.New(devLog{out: lines})
		o.Terminal = a.out
		err = a.runDev(c.Context(), o, lines)
		if errors.Is(err, syscall.EADDRINUSE) { // the server's message names a key of the configuration
			return &failure{
				Code: codeFailed, Flag: "--listen", ExitCode: exitFailed,
				Message: fmt.Sprintf("--listen: %s is in use by another program", listen),
				Hint:    "stop it, or choose another with --listen 127.0.0.1:0",
			}
		}
		return err
	}
	return c
}

// runDev serves until ctx ends. The demo API ends before the server does, which it
// would miss.
func (a *app) runDev(ctx context.Context, o server.Options, lines *held) error {
	var api atomic.Pointer[demoAPI]
	defer func() { api.Load().close() }()
	serving, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	defer context.AfterFunc(ctx, func() {
		api.Load().close()
		stop(context.Cause(ctx))
	})()
	return a.run(serving, o, func(ctx context.Context, s *server.Server) error {
		d, err := makeDemo(ctx, s)
		if err != nil {
			return fmt.Errorf("cannot create the demo records: %w", err)
		}
		started, err := startDemoAPI(d.PublicURL, d.ResourceServer, o.Log)
		if err != nil {
			return fmt.Errorf("cannot start the demo API: %w", err)
		}
		api.Store(started)
		d.APIURL = started.url
		defer lines.release()
		return a.printDemo(d)
	})
}

// devConfig returns the defaults with all files in dir.
func devConfig(c *cobra.Command, dir, listen string) (config.Config, error) {
	cfg, _, err := config.Load(config.LoadOptions{Overrides: map[string]string{
		"public.listen":       listen,
		"admin.socket":        filepath.Join(dir, "admin.sock"),
		"store.embedded.path": dir,
		"metrics.listen":      "",
		"metadata.mcp":        "true",
		"shutdown.drain":      "0s",
		"log.level":           "warn",
		"log.format":          "text",
	}})
	var faults config.Faults
	if errors.As(err, &faults) && faults[0].Path == "public.listen" {
		return cfg, misuse(c, "--listen %s", faults[0].Problem)
	}
	return cfg, err
}

// demo is what 'grantd dev' prints; with --output json it prints this as JSON.
type demo struct {
	Program        string          `json:"-"`
	PublicURL      string          `json:"public_url"`
	TokenURL       string          `json:"token_url"`
	IntrospectURL  string          `json:"introspect_url"`
	RevokeURL      string          `json:"revoke_url"`
	AdminSocket    string          `json:"admin_socket"`
	Client         clients.Created `json:"client"`
	ResourceServer clients.Created `json:"resource_server"`
	Backend        clients.Created `json:"backend"` // client of the customer's org
	APIURL         string          `json:"api_url"` // the demo API: needs a token with the scope users:read
	CustomerID     string          `json:"customer_id"`
	CustomerURL    string          `json:"customer_url"` // its token endpoints are below this URL
}

func (a *app) printDemo(d demo) (err error) {
	if a.output == outputJSON {
		err = json.NewEncoder(a.out).Encode(d) // on one line, like the ready line
	} else {
		err = template.Must(template.New("dev").Parse(devText)).Execute(a.out, d)
	}
	if err != nil {
		return err
	}
	a.println("ready public=%s", d.PublicURL)
	return a.out.err
}

func makeDemo(ctx context.Context, s *server.Server) (demo, error) {
	by := audit.Actor{Name: "system"}
	client, err := s.Clients().Create(ctx, by, clients.NewSpec{
		ClientID: demoID,
		Spec:     clients.Spec{Name: new("Demo client"), Scope: new(demoScope), TokenTTL: new(demoTTL)},
	})
	if err != nil {
		return demo{}, err
	}
	rs, err := s.Clients().Create(ctx, by, clients.NewSpec{
		ClientID: demoRSID,
		Spec: clients.Spec{
			Name: new("Demo resource server"), Scope: new(scopes.Introspect),
			TokenUses: &[]store.TokenUse{store.UseClient, store.UseCustomer}, // as demoUses
		},
	})
	if err != nil {
		return demo{}, err
	}
	backend, err := makeDemoOrg(ctx, s, by)
	base := s.PublicURL()
	program, exeErr := os.Executable() // with `go run .` it is not in PATH
	return demo{
		Program: program, PublicURL: base, AdminSocket: s.AdminSocket(), Client: client, ResourceServer: rs, Backend: backend,
		TokenURL: base + oauth.PathToken, IntrospectURL: base + oauth.PathIntrospect, RevokeURL: base + oauth.PathRevoke,
		CustomerID: demoCustomer, CustomerURL: base + "/customers/" + demoCustomer,
	}, errors.Join(err, exeErr)
}

// makeDemoOrg creates an org with a customer, and returns the org's client.
func makeDemoOrg(ctx context.Context, s *server.Server, by audit.Actor) (clients.Created, error) {
	if _, _, err := s.Orgs().Put(ctx, by, demoOrg, 0, orgs.Spec{Name: "Demo org"}); err != nil {
		return clients.Created{}, err
	}
	_, _, err := s.Customers().Put(ctx, by, demoCustomer, 0, customers.Spec{OrgID: demoOrg, Type: store.Individual, Phone: demoPhone})
	if err != nil {
		return clients.Created{}, err
	}
	return s.Clients().Create(ctx, by, clients.NewSpec{
		ClientID: demoBackendID, OrgID: demoOrg,
		Spec: clients.Spec{Name: new("Demo backend"), Scope: new(demoBackendScope)},
	})
}
