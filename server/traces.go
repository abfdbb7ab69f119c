package server

import (
	"context"
	"fmt"
	"os"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/traces"
	"github.com/grantd/grantd/server/version"
)

// openTraces starts the traces and puts them around the store, unless they are off.
func (s *Server) openTraces() error {
	t := s.cfg.Traces
	if t.Endpoint == "" {
		return nil
	}
	host, _ := os.Hostname()
	o := traces.Options{
		Endpoint: t.Endpoint, OneIn: t.SampleOneIn, Version: version.Read().Version, Instance: host, Log: s.log, Sent: s.metrics.SpansSent,
	}
	if t.HeadersFile != "" {
		text, err := config.ReadSecretFile(t.HeadersFile)
		if err == nil {
			o.Headers, err = traces.ReadHeaders(text.Reveal())
		}
		if err != nil {
			return fmt.Errorf("traces.headers_file: %w", err)
		}
	}
	s.tracer = traces.New(o)
	s.onStop("traces", func(ctx context.Context) error { return s.tracer.Stop(ctx) })
	s.store = s.tracer.Store(s.store)
	return nil
}
