package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/scopes"
)

// What a reload reads again, in logs and metrics.
const (
	reloadCatalogue = "catalogue"
	reloadTLS       = "tls"
	reloadLog       = "log"
)

// Reload reads the scope catalogue and the certificates again, and takes the
// log level of cfg. What cannot be read stays as it was; the error names it.
// Everything else of cfg needs a restart.
func (s *Server) Reload(ctx context.Context, cfg config.Config) error {
	return errors.Join(
		s.reloaded(ctx, reloadCatalogue, s.reloadCatalogue(cfg.Scopes.File)),
		s.reloaded(ctx, reloadTLS, s.reloadTLS()),
		s.reloaded(ctx, reloadLog, s.reloadLog(cfg.Log.Level)),
	)
}

func (s *Server) reloaded(ctx context.Context, what string, err error) error {
	s.metrics.Reloaded(what, err)
	if err != nil {
		s.log.ErrorContext(ctx, "reload failed; the old state stays", "what", what, "error", err)
		return fmt.Errorf("%s: %w", what, err)
	}
	s.log.InfoContext(ctx, "reloaded", "what", what)
	return nil
}

func (s *Server) reloadCatalogue(file string) error {
	c, err := scopes.Load(file)
	if err != nil {
		return err
	}
	s.scopes.Store(c)
	return nil
}

func (s *Server) reloadTLS() error {
	var errs []error
	for _, l := range s.listeners {
		if l.pair != nil {
			errs = append(errs, l.pair.Reload())
		}
	}
	return errors.Join(errs...)
}

func (s *Server) reloadLog(level string) error {
	if s.level == nil {
		return nil
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return err
	}
	s.level.Set(l)
	return nil
}

// watchTLS reloads certificates whenever their files change.
func (s *Server) watchTLS(ctx context.Context) {
	for _, l := range s.listeners {
		if l.pair != nil {
			go l.pair.Watch(ctx, func(err error) { _ = s.reloaded(ctx, reloadTLS, err) })
		}
	}
}
