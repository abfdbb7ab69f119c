package server

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// teardown ends one part.
type teardown struct {
	name string
	run  func(context.Context) error
}

// onStop registers the teardown of a part that was just made.
func (s *Server) onStop(name string, run func(context.Context) error) {
	s.teardowns = append(s.teardowns, teardown{name, run})
}

// Drain makes /readyz 503 while every request is served for shutdown.drain, so that
// load balancers send new ones elsewhere before the listeners close. It returns
// earlier, with the error, if a listener fails.
func (s *Server) Drain() error {
	s.draining.Store(true)
	if s.cfg.Shutdown.Drain == 0 {
		return nil
	}
	s.streams.Drain(s.cfg.Shutdown.Drain)
	wait := time.NewTimer(s.cfg.Shutdown.Drain)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case err := <-s.failed:
		return err
	}
}

// Stop ends every part, the last one first: listeners finish their requests,
// buffered writes are written, the store closes. ctx bounds it. It may be called
// again.
func (s *Server) Stop(ctx context.Context) error {
	s.end()
	var errs []error
	for i := len(s.teardowns) - 1; i >= 0; i-- {
		t := s.teardowns[i]
		if err := t.run(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", t.name, err))
		}
	}
	s.teardowns = nil
	return errors.Join(errs...)
}
