package server

import (
	"context"
	"errors"
	"fmt"
)

// teardown is what ends one part.
type teardown struct {
	name string
	run  func(context.Context) error
}

// onStop registers how a part that was just made is ended.
func (s *Server) onStop(name string, run func(context.Context) error) {
	s.teardowns = append(s.teardowns, teardown{name, run})
}

// Stop ends every part, the last made first: listeners drain, what is
// gathered is written, the store closes. It is bound by ctx, and may be
// called again.
func (s *Server) Stop(ctx context.Context) error {
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
