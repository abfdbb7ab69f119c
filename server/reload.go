package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/scopes"
)

// What a reload reads, as logs and metrics name it.
const (
	reloadCatalogue = "catalogue"
	reloadTLS       = "tls"
	reloadPhoneKeys = "phone_keys"
	reloadLog       = "log"
)

// Reload reads the scope catalogue, the certificates and the keys of phone numbers
// again, and sets the log level of cfg. If one of them cannot be read, its old state stays, and the error
// names it. Everything else in cfg needs a restart.
func (s *Server) Reload(ctx context.Context, cfg config.Config) error {
	return errors.Join(
		s.reportReload(ctx, reloadCatalogue, s.reloadCatalogue(cfg)),
		s.reportReload(ctx, reloadTLS, s.reloadTLS()),
		s.reportReload(ctx, reloadPhoneKeys, s.phoneKeys.Reload()),
		s.reportReload(ctx, reloadLog, s.reloadLog(cfg.Log.Level)),
	)
}

// reportReload counts and logs the result of a reload, and returns its error.
func (s *Server) reportReload(ctx context.Context, what string, err error) error {
	s.metrics.Reloaded(what, err)
	if err != nil {
		s.log.ErrorContext(ctx, "reload failed; the old state stays", "what", what, "error", err)
		return fmt.Errorf("%s: %w", what, err)
	}
	s.log.InfoContext(ctx, "reloaded", "what", what)
	return nil
}

func (s *Server) reloadCatalogue(cfg config.Config) error {
	c, err := scopes.LoadFrom(cfg.Scopes.File, cfg.Scopes.Preset)
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
