// Package trouble keeps the log short while something fails again and again. It
// logs an error once, then counts it, and says when it is over. It decides
// nothing else: the caller retries, and pauses in between.
package trouble

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Every is how often an error that persists is logged again, with how often
	// it has occurred.
	Every = time.Minute
	// maxLines bounds the lines of one Log in each Every, whatever fails.
	maxLines = 6
)

// Log reports one thing that may fail again and again. It is safe for concurrent
// use.
type Log struct {
	log   *slog.Logger
	what  string
	works string

	failing atomic.Bool

	mu       sync.Mutex
	since    time.Time // the first failure in the row
	failures int       // in the row
	begun    time.Time // when the lines were last counted from 0
	lines    int
	seen     map[string]struct{} // errors that were logged since begun
}

// New returns a Log. what is the message of a failure, and works the message once
// it is over.
func New(log *slog.Logger, what, works string) *Log {
	return &Log{log: log, what: what, works: works, seen: map[string]struct{}{}}
}

// Failed counts a failure. It logs the error if it has not logged the same one in
// the last minute. Errors that differ only in digits, such as ports and
// positions, are the same.
func (l *Log) Failed(ctx context.Context, err error, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !l.failing.Load() {
		l.since, l.failures = now, 0
		l.failing.Store(true)
	}
	l.failures++
	if !l.mayLog(now) {
		return
	}
	kind := withoutDigits(err.Error())
	if _, known := l.seen[kind]; known {
		return
	}
	l.seen[kind] = struct{}{}
	l.lines++
	args = append(args, "error", err)
	if l.failures > 1 {
		args = append(args, "failures", l.failures, "seconds", seconds(now.Sub(l.since)))
	}
	l.log.WarnContext(ctx, l.what, args...)
}

// Worked records a success. After a failure, it logs how long and how often it
// failed.
func (l *Log) Worked(ctx context.Context) {
	if !l.failing.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.failing.Swap(false) {
		return
	}
	now := time.Now()
	if !l.mayLog(now) {
		return
	}
	clear(l.seen) // the next failure is news
	l.lines++
	l.log.InfoContext(ctx, l.works, "failures", l.failures, "seconds", seconds(now.Sub(l.since)))
}

// mayLog reports whether there is room for one more line. l is locked.
func (l *Log) mayLog(now time.Time) bool {
	if now.Sub(l.begun) >= Every {
		l.begun, l.lines = now, 0
		clear(l.seen)
	}
	return l.lines < maxLines
}

func seconds(d time.Duration) float64 { return d.Round(10 * time.Millisecond).Seconds() }

func withoutDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, s)
}
