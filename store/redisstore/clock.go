package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store/redisstore/wire"
)

const (
	// clockEvery is how often the clock of this process is compared with that of
	// Redis, which is the same for every process.
	clockEvery = time.Minute
	// A clock that is off by more than maxSkew is reported, until it is off by less
	// than rightAgain.
	maxSkew, rightAgain = 2 * time.Second, 1500 * time.Millisecond
)

// clockWatch is what the store knows about the clock. One goroutine uses it at a
// time.
type clockWatch struct {
	compared time.Time
	skewed   bool
	failed   bool
}

// compareClock compares the clocks if that was last done a minute ago.
func (s *Store) compareClock(ctx context.Context) {
	if !s.clocks.compared.IsZero() && time.Since(s.clocks.compared) < clockEvery {
		return
	}
	s.clocks.compared = time.Now()
	skew, unsure, err := s.skew(ctx)
	switch {
	case err == nil:
		s.clocks.failed = false
		s.setSkew(ctx, skew, unsure)
	case !s.clocks.failed:
		s.clocks.failed = true
		s.log.WarnContext(ctx, "store: the clock cannot be compared with that of Redis: allow its user the command TIME, as in redis.acl", "error", err)
	}
}

// skew returns by how much the clock of this process is ahead of that of the master
// with the feed, and how far off that may be: half of the round trip.
func (s *Store) skew(ctx context.Context) (skew, unsure time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	var here, there time.Time
	err = s.redis.OnMaster(ctx, s.keys.feed(), func(node *redis.Client, _ bool) (err error) {
		sent, begun := s.now(), time.Now()
		there, err = node.Time(ctx).Result()
		unsure = time.Since(begun) / 2
		here = sent.Add(unsure)
		return err
	})
	if err != nil {
		return 0, 0, wire.StoreError(ctx, "time", err)
	}
	return here.Round(0).Sub(there), unsure, nil
}

// setSkew reports the skew, and logs once that it is too much, and that it is over.
func (s *Store) setSkew(ctx context.Context, skew, unsure time.Duration) {
	was, off := s.clocks.skewed, skew.Abs()-unsure
	s.clocks.skewed = off > maxSkew || was && off > rightAgain
	s.onSkew(skew, s.clocks.skewed)
	switch {
	case s.clocks.skewed && !was:
		s.log.WarnContext(ctx, "store: the clock of this process differs from that of Redis: tokens may be inactive, or end early or late, at other processes; correct it (NTP)",
			"skew", fmt.Sprintf("%+.1fs", skew.Seconds()))
	case was && !s.clocks.skewed:
		s.log.InfoContext(ctx, "store: the clock agrees with that of Redis again", "skew", fmt.Sprintf("%+.1fs", skew.Seconds()))
	}
}
