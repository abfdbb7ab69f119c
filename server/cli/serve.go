package cli

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server"
	"github.com/grantd/grantd/server/logbuf"
)

// stopTimeout is how long requests in progress may delay the end of the process.
const stopTimeout = 20 * time.Second

func (a *app) serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Runs the server until SIGINT or SIGTERM. Once it accepts requests, it prints the
line 'ready public=URL admin=SOCKET'. It logs to standard error.

On SIGTERM, GET /readyz is 503 for shutdown.drain (5s) while requests are served, so
that load balancers send them elsewhere. Then, and at once on SIGINT, it accepts no
new requests and gives those in progress 20 s. A second signal ends it at once.

On SIGHUP it reads its scope catalog, certificates, keys of telephone numbers and log
level again. What it cannot read stays as it was.

Without a configuration file it is a sandbox on 127.0.0.1:8080 with its data in
./grantd-data.`,
		Example: `  grantd serve --config /etc/grantd/grantd.yaml`,
		Args:    operands(),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, warnings, err := a.loadConfig()
			if err != nil {
				return err
			}
			o, flush := a.serverOptions(cfg)
			defer flush()
			for _, w := range cfg.Warnings() {
				warnings = append(warnings, w.Path+": "+w.Problem)
			}
			for _, w := range warnings {
				o.Log.WarnContext(c.Context(), "config: "+w)
			}
			return a.run(c.Context(), o, func(_ context.Context, s *server.Server) error {
				a.println("ready public=%s admin=%s", s.PublicURL(), s.AdminSocket())
				return a.out.err
			})
		},
	}
	a.configFlag(c)
	return c
}

// ErrTerminated is the cause of a context that ends because somebody other than a
// person at the terminal ends the process: load balancers may still send requests.
var ErrTerminated = errors.New("terminated")

// run serves until ctx ends or a listener fails. If the cause is ErrTerminated, it
// drains first. It calls ready once it accepts
// requests, and stops if ready returns an error.
func (a *app) run(ctx context.Context, o server.Options, ready func(context.Context, *server.Server) error) (err error) {
	var reload <-chan struct{}
	if a.reload != nil {
		reload = a.reload() // before anything else: an early SIGHUP must not end the process
	}
	defer raiseHeap()()
	s, err := server.New(ctx, o)
	if err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err = errors.Join(err, s.Stop(ctx))
	}()
	if err := ready(ctx, s); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return stop(ctx, s, o)
		case <-reload:
			a.reloadFiles(ctx, s, o.Log)
		case err := <-s.Failed():
			return err
		}
	}
}

// stop says that the server stops, and drains it if it was terminated.
func stop(ctx context.Context, s *server.Server, o server.Options) error {
	if drain := o.Config.Shutdown.Drain; drain > 0 && errors.Is(context.Cause(ctx), ErrTerminated) {
		o.Log.InfoContext(ctx, "stopping: /readyz is 503, and requests are served, until shutdown.drain has passed; a second signal stops at once", "drain", drain.String())
		return s.Drain()
	}
	o.Log.InfoContext(ctx, "stopping")
	return nil
}

// reloadFiles reads the configuration again and applies what needs no restart.
// If the configuration is wrong, it logs the error and changes nothing.
func (a *app) reloadFiles(ctx context.Context, s *server.Server, log *slog.Logger) {
	cfg, _, err := a.loadConfig()
	if err != nil {
		log.ErrorContext(ctx, "reload failed; the old configuration remains in use", "error", err)
		return
	}
	_ = s.Reload(ctx, cfg) // logs its errors
}

// serverOptions returns the options of a server that logs to standard error and
// whose log level can change. The caller must call flush at the end.
func (a *app) serverOptions(cfg config.Config) (o server.Options, flush func()) {
	level := new(slog.LevelVar)
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "warn": slog.LevelWarn, "error": slog.LevelError}
	level.Set(levels[cfg.Log.Level]) // info is the zero value
	lines := logbuf.New(a.err)
	o = server.Options{Config: cfg, Level: level}
	if cfg.Log.Format == "text" {
		o.Log = slog.New(slog.NewTextHandler(lines, &slog.HandlerOptions{Level: level}))
	} else {
		o.Log = slog.New(slog.NewJSONHandler(lines, &slog.HandlerOptions{Level: level}))
		o.Lines = lines
	}
	return o, lines.Flush
}
