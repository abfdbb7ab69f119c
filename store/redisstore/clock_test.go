package redisstore_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest/redistest"
)

// TestClockSkew moves the clock of the store, and checks that the skew is measured,
// and in the log once when it begins and once when it is over.
func TestClockSkew(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t).Addr
	var offset atomic.Int64
	var log bytes.Buffer
	var skew time.Duration
	tooMuch, told := false, 0
	move := func(d time.Duration) { offset.Store(int64(d)) }
	move(10 * time.Second)
	s := open(t, addr, func(o *redisstore.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		o.OnSkew = func(d time.Duration, much bool) { skew, tooMuch, told = d, much, told+1 }
	})
	const begins, over = "clock of this process differs", "clock agrees"
	for i, step := range []struct {
		offset       time.Duration
		tooMuch      bool
		begins, over int // lines so far
	}{
		{10 * time.Second, true, 1, 0}, // when the store was opened
		{11 * time.Second, true, 1, 0},
		{1700 * time.Millisecond, true, 1, 0}, // not yet right again
		{500 * time.Millisecond, false, 1, 1},
		{1700 * time.Millisecond, false, 1, 1}, // not yet too much
		{-30 * time.Second, true, 2, 1},
		{0, false, 2, 2},
	} {
		if i > 0 {
			move(step.offset)
			s.CompareClock(within(t))
		}
		if off := (skew - step.offset).Abs(); off > 100*time.Millisecond || tooMuch != step.tooMuch || told != i+1 {
			t.Errorf("step %d: skew %v, too much %v, told %d times; want %+v", i, skew, tooMuch, told, step)
		}
		if b, o := strings.Count(log.String(), begins), strings.Count(log.String(), over); b != step.begins || o != step.over {
			t.Errorf("step %d: %d and %d lines, want %d and %d:\n%s", i, b, o, step.begins, step.over, &log)
		}
	}
}

// TestClockCannotBeCompared checks that a Redis that refuses TIME serves, and that
// the log says so once.
func TestClockCannotBeCompared(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t).Addr
	if err := raw(t, addr).Do(within(t), "acl", "setuser", "default", "-time").Err(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := open(t, addr, func(o *redisstore.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	s.CompareClock(within(t))
	if strings.Count(log.String(), "clock cannot be compared") != 1 {
		t.Errorf("log:\n%s", &log)
	}
}
