package cli

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server"
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
			log, level := a.logger(cfg.Log)
			for _, w := range warnings {
				log.WarnContext(c.Context(), "config: "+w)
			}
			return a.run(c.Context(), server.Options{Config: cfg, Log: log, Level: level}, func(_ context.Context, s *server.Server) error {
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

// logger writes to standard error, from a level that can be changed.
func (a *app) logger(cfg config.Log) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "warn": slog.LevelWarn, "error": slog.LevelError}
	level.Set(levels[cfg.Level]) // info is the zero level
	o := &slog.HandlerOptions{Level: level}
	if cfg.Format == "text" {
		return slog.New(slog.NewTextHandler(a.err, o)), level
	}
	return slog.New(slog.NewJSONHandler(a.err, o)), level
}
