package guard

import (
	"errors"
	"log/slog"
	"sync"
)

// problems logs what goes wrong: each different problem once, and when it is over.
type problems struct {
	log          *slog.Logger
	begins, ends string // messages

	mu  sync.Mutex
	err error
}

var errUnreached = errors.New("the authorization server has not been reached")

func orUnreached(err error) error {
	if err == nil {
		return errUnreached
	}
	return err
}

// note notes a problem.
func (p *problems) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil || p.err.Error() != err.Error() {
		p.log.Warn(p.begins, slog.Any("error", err))
	}
	p.err = err
}

// over notes that there is no problem.
func (p *problems) over() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		p.log.Info(p.ends)
	}
	p.err = nil
}

// last returns the problem; nil: there is none.
func (p *problems) last() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
