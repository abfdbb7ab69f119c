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

// stopTime bounds how long requests that are being answered may hold up the
// end of the process.
const stopTime = 20 * time.Second

func (a *app) serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Runs the server until it is told to end (SIGINT, SIGTERM). It prints one line once
it serves, 'ready public=URL admin=SOCKET', and logs to standard error.

On SIGHUP it reads its scope catalogue, certificates and log level again; what
cannot be read stays as it was.

Without a configuration file it is a sandbox on 127.0.0.1:8080 that keeps its
data in ./grantd-data.`,
		Example: `  grantd serve --config /etc/grantd/grantd.yaml`,
		Args:    operands(),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, warnings, err := a.loadConfig()
			if err != nil {
				return err
			}
			o, flush := a.serving(cfg)
			defer flush()
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

// run serves until ctx ends or a listener fails. ready is called once it
// serves, and ends it by an error.
func (a *app) run(ctx context.Context, o server.Options, ready func(context.Context, *server.Server) error) (err error) {
	var reload <-chan struct{}
	if a.reload != nil {
		reload = a.reload() // from the start: an early SIGHUP must not end it
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
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		err = errors.Join(err, s.Stop(ctx))
	}()
	if err := ready(ctx, s); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			o.Log.InfoContext(ctx, "stopping")
			return nil
		case <-reload:
			a.reloadFiles(ctx, s, o.Log)
		case err := <-s.Failed():
			return err
		}
	}
}

// reloadFiles reads the configuration again and has the server take what it
// can without a restart. Faults are logged, and everything stays as it was.
func (a *app) reloadFiles(ctx context.Context, s *server.Server, log *slog.Logger) {
	cfg, _, err := a.loadConfig()
	if err != nil {
		log.ErrorContext(ctx, "reload failed; the old configuration stays", "error", err)
		return
	}
	_ = s.Reload(ctx, cfg) // it logs what failed
}

// serving answers the options of a server that logs to standard error, from a
// level that can be changed. flush is to be called at the end.
func (a *app) serving(cfg config.Config) (o server.Options, flush func()) {
	level := new(slog.LevelVar)
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "warn": slog.LevelWarn, "error": slog.LevelError}
	level.Set(levels[cfg.Log.Level]) // info is the zero level
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
