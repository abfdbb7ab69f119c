package guard

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// problems logs what goes wrong, without a flood: each kind of problem once a minute at
// most, and that it is over when there was none for quiet.
type problems struct {
	log          *slog.Logger
	clock        func() instant
	begins, ends string        // messages
	counts       time.Duration // how long a problem counts that nobody repeats; 0: until it is over

	mu    sync.Mutex
	err   error              // the present problem
	at    instant            // when it was noted
	told  map[string]instant // when each kind was logged
	held  int                // how many were not, since the last one that was
	timer *time.Timer        // until the problem is over
}

const (
	tellAgain = time.Minute
	quiet     = 10 * time.Second
	mostKinds = 16 // that are logged
)

var errUnreached = errors.New("the authorization server has not been reached")

func orUnreached(err error) error {
	if err == nil {
		return errUnreached
	}
	return err
}

// kindOf returns what errors that differ only in numbers have in common: each connection
// has another port.
func kindOf(err error) string {
	var status *upstreamError
	if errors.As(err, &status) {
		return status.Error()
	}
	last := ' '
	return strings.Map(func(c rune) rune {
		if '0' <= c && c <= '9' {
			c = '0'
		}
		repeated := c == '0' && last == '0'
		if last = c; repeated {
			return -1
		}
		return c
	}, err.Error())
}

// note notes a problem.
func (p *problems) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kind, now := kindOf(err), p.clock()
	p.err, p.at = err, now
	p.pause()
	at, known := p.told[kind]
	if known && now-at < tellAgain || !known && len(p.told) >= mostKinds {
		p.held++
		return
	}
	if p.told == nil {
		p.told = map[string]instant{}
	}
	p.told[kind] = now
	p.log.Warn(p.begins, slog.Any("error", err), slog.Int("not_logged", p.held))
	p.held = 0
}

// over notes that there is no problem.
func (p *problems) over() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = nil
	if len(p.told) > 0 && p.timer == nil {
		p.timer = time.AfterFunc(quiet, p.end)
	}
}

// end logs that the problem is over, unless there was another one.
func (p *problems) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer == nil {
		return
	}
	p.log.Info(p.ends, slog.Int("not_logged", p.held))
	p.timer, p.told, p.held = nil, nil, 0
}

// pause stops the timer. p.mu is held.
func (p *problems) pause() {
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

// stop ends the logging.
func (p *problems) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pause()
}

// last returns the problem; nil: there is none.
func (p *problems) last() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.counts > 0 && p.clock()-p.at > p.counts {
		return nil
	}
	return p.err
}
