package embedded

import (
	"context"
	"crypto/rand"
	"time"
)

// failure is the last commit that failed.
type failure struct {
	err error
	at  time.Time
}

const (
	// quietFor is how long after a failure another one is not logged.
	quietFor = 10 * time.Second
	// tryEvery is how often Ping tries whether the file can be written again.
	tryEvery = time.Second
	// trialSize is how much it writes then, in bytes: more than most commits.
	trialSize = 1 << 20
)

// report remembers a failure, and logs it unless another one was recent.
func (s *Store) report(err error) {
	now := s.now()
	if f := s.failed.Load(); f == nil || now.Before(f.at) || now.Sub(f.at) >= quietFor {
		s.log.Error("the store cannot be written: check the disk", "path", s.db.Path(), "err", err)
	}
	s.failed.Store(&failure{err, now})
}

// tryAgain writes as much as most commits do, unless the failure is less than
// tryEvery old, and forgets the failure if that succeeds. The next Ping replaces what
// it wrote.
func (s *Store) tryAgain(ctx context.Context, f *failure, now time.Time) error {
	if since := now.Sub(f.at); since >= 0 && since < tryEvery {
		return unavailable("ping", f.err)
	}
	trial := make([]byte, trialSize)
	_, _ = rand.Read(trial) // a file system must not compress it; it never fails
	if err := s.write(ctx, "ping", func(b *batch) error { return meta(b.tx).Put(keyPing, trial) }); err != nil {
		return err
	}
	if s.failed.CompareAndSwap(f, nil) {
		s.log.InfoContext(ctx, "the store can be written again", "path", s.db.Path())
	}
	return nil
}
