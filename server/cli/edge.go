package cli

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/grantd/grantd/server/edge"
	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/server/logbuf"
)

// edgeVariable is what the name of each variable of 'grantd edge' begins with. The rest
// is the name of a flag in capitals, such as GRANTD_EDGE_CLIENT_ID.
const edgeVariable = "GRANTD_EDGE_"

// edgeFlags holds the flags of 'grantd edge'.
type edgeFlags struct {
	edge.Settings
	logLevel, logFormat string
}

func (a *app) edgeCommand() *cobra.Command {
	var f edgeFlags
	c := &cobra.Command{
		Use:   "edge",
		Short: "Check tokens beside an API, from a cache that follows revocations",
		Long: `Runs a small process beside an API, in whatever language that is, until SIGINT or
SIGTERM. Callers reach it on this machine only. It serves:

  POST /oauth/introspect  introspection as the server has it (RFC 7662), from a cache;
                          callers send the ID and the secret of --client-id
  /forward-auth           decisions for a gateway: nginx, Apache, Traefik, Caddy, HAProxy, Envoy
  POST /envoy.service.auth.v3.Authorization/Check
                          decisions for Envoy, over gRPC
  GET /token              tokens for the clients of --token-client
  GET /healthz, /readyz, /metrics

It follows the revocations of the server: a token that was ended is refused within a
second. If it does not know for certain, it responds with 503.

Once it accepts requests, it prints the line 'ready edge=URL', with metrics=URL if there is
--metrics-listen. It logs to standard error. Each flag can also be a variable:
GRANTD_EDGE_ and its name in capitals, such as GRANTD_EDGE_CLIENT_ID; several values are
separated by spaces, policies by commas.

Secrets are in files, which are read again when they change. On a unix socket, which
only the user of this process can use, callers send no secret.`,
		Example: `  grantd edge --upstream https://auth.example.com --client-id users-api --client-secret-file /etc/users-api/secret
  grantd edge --upstream https://auth.example.com --client-id users-api --client-secret-file secret --listen unix:/run/users-api/edge.sock`,
		Args: operands(),
	}
	f.add(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := a.readEdgeVariables(c); err != nil {
			return err
		}
		log, lines, err := a.edgeLog(&f)
		if err != nil {
			return misuse(c, "%s", err)
		}
		defer lines.Flush()
		for _, name := range a.unknownEdgeVariables(c) {
			log.Warn("the variable is not one of grantd edge, and is ignored", "variable", name)
		}
		o := edge.Options{Settings: f.Settings, Log: log}
		if f.logFormat == "json" {
			o.Lines = lines
		}
		return a.runEdge(c.Context(), o)
	}
	return c
}

func (f *edgeFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.SortFlags = false // keep the order below
	flags.StringVar(&f.Upstream, "upstream", "", "`URL` of the server")
	flags.StringVar(&f.ClientID, "client-id", "", "`ID` of the resource server (see 'grantd client create --introspect')")
	flags.StringVar(&f.SecretFile, "client-secret-file", "", "`FILE` with its secret")
	flags.StringVar(&f.Listen, "listen", edge.DefaultListen, "`ADDRESS` of this machine to listen on, or unix:PATH; port 0 selects a free port")
	flags.StringVar(&f.MetricsListen, "metrics-listen", "", "`ADDRESS` at which other machines get /metrics, /healthz and /readyz, and nothing else, such as 0.0.0.0:9464")
	flags.StringVar(&f.CAFile, "ca-file", "", "trust the certificate authorities in this PEM `FILE` too")
	flags.StringVar(&f.Issuer, "issuer", "", "`URL` of the server as tokens name it, if it is not that of --upstream")
	flags.StringSliceVar(&f.TokenUses, "token-use", []string{"client"}, "`KIND` of token that the API accepts, as the resource server is registered: client, customer, on_behalf, partner or key; repeat it for several")
	flags.StringSliceVar(&f.Enforces, "enforces", nil, "`RESTRICTION` that the API enforces, as the resource server is registered: source_ip, endpoints or resources; repeat it for several")
	flags.StringVar(&f.Resource, "resource", "", "`URI` of the API, as the resource server is registered")
	flags.BoolVar(&f.OmitTokenUse, "omit-token-use", false, "leave token_use out of introspection responses, for callers that refuse its values, such as Ory Oathkeeper")
	flags.StringSliceVar(&f.TokenClients, "token-client", nil, "`ID=FILE`: get tokens for the client, whose secret is in the file; repeat it for several")
	flags.StringVar(&f.Headers, "forward-auth-headers", string(gateway.Forwarded), "`FAMILY` of headers in which the gateway states the request: forwarded (X-Forwarded-…) or original (X-Original-…)")
	flags.StringArrayVar(&f.Policies, "forward-auth-policy", nil, "`POLICY` for Envoy, which asks /forward-auth/envoy/NAME: 'NAME scope=… token_use=…'; repeat it for several")
	flags.StringSliceVar(&f.Proxies, "trusted-proxy", nil, "`CIDR` of a proxy in front of the gateway, whose address in X-Forwarded-For is not that of a caller")
	flags.IntVar(&f.MaxEntries, "max-entries", edge.DefaultMaxEntries, "`NUMBER` of tokens in the cache")
	flags.StringVar(&f.logLevel, "log-level", "info", "`LEVEL` of what is logged: debug, info, warn or error")
	flags.StringVar(&f.logFormat, "log-format", "json", "`FORMAT` of the log: json or text")
}

// readEdgeVariables sets the flags that were not given from variables. It reports all
// values that cannot be read.
func (a *app) readEdgeVariables(c *cobra.Command) error {
	var faults edge.Faults
	c.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
		value := a.lookup(variableOf(flag))
		if value == "" || flag.Changed || flag.Name == "help" {
			return
		}
		values := []string{value}
		switch flag.Value.Type() {
		case "stringSlice":
			values[0] = strings.Join(strings.Fields(value), ",")
		case "stringArray":
			values = strings.Split(value, ",")
		}
		for _, value := range values {
			err := c.Flags().Set(flag.Name, value)
			if err == nil {
				continue
			}
			must := "must be a whole number"
			if flag.Value.Type() == "bool" {
				must = "must be true or false"
			}
			faults = append(faults, edge.Fault{Setting: flag.Name, Problem: must})
		}
	})
	if len(faults) > 0 {
		return edgeFailure(faults)
	}
	return nil
}

func variableOf(flag *pflag.Flag) string {
	return edgeVariable + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
}

// unknownEdgeVariables returns the variables that look like flags and are none.
func (a *app) unknownEdgeVariables(c *cobra.Command) (unknown []string) {
	if a.env == nil {
		return nil
	}
	known := map[string]bool{}
	c.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) { known[variableOf(flag)] = true })
	for _, variable := range a.env() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, edgeVariable) && !known[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// edgeLog returns the log, and the writer that must be flushed at the end.
func (a *app) edgeLog(f *edgeFlags) (*slog.Logger, *logbuf.Writer, error) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level, ok := levels[f.logLevel]
	if !ok {
		return nil, nil, errors.New("--log-level must be debug, info, warn or error")
	}
	lines := logbuf.New(a.err)
	switch f.logFormat {
	case "json":
		return slog.New(slog.NewJSONHandler(lines, &slog.HandlerOptions{Level: level})), lines, nil
	case "text":
		return slog.New(slog.NewTextHandler(lines, &slog.HandlerOptions{Level: level})), lines, nil
	}
	return nil, nil, errors.New("--log-format must be json or text")
}

// runEdge serves until ctx ends or the listener fails.
func (a *app) runEdge(ctx context.Context, o edge.Options) (err error) {
	e, err := edge.New(o)
	if faults, ok := errors.AsType[edge.Faults](err); ok {
		return edgeFailure(faults)
	}
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err = errors.Join(err, e.Stop(ctx))
	}()
	if err := e.Start(ctx); err != nil {
		return err
	}
	edge.Shrink()
	if at := e.MetricsURL(); at != "" {
		a.println("ready edge=%s metrics=%s", e.URL(), at)
	} else {
		a.println("ready edge=%s", e.URL())
	}
	if a.out.err != nil {
		return a.out.err
	}
	select {
	case <-ctx.Done():
		o.Log.InfoContext(ctx, "stopping")
		return nil
	case err := <-e.Failed():
		return err
	}
}

// edgeFailure returns the failure for faults of the flags: one line, or one problem,
// for each.
func edgeFailure(faults edge.Faults) error {
	f := &failure{Code: codeWrongValue, Message: faults.Error(), ExitCode: exitUsage, Hint: "see 'grantd edge --help'", Flag: "--" + faults[0].Setting}
	if len(faults) > 1 {
		f.Flag = ""
		for _, fault := range faults {
			f.Problems = append(f.Problems, problem{Key: "--" + fault.Setting, Message: fault.Problem})
		}
	}
	return f
}
