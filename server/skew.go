package server

import (
	"fmt"
	"time"

	"github.com/grantd/grantd/server/health"
)

// noticeSkew records how far the clock is ahead of that of Redis.
func (s *Server) noticeSkew(skew time.Duration, tooMuch bool) {
	s.metrics.ClockSkew(skew)
	if !tooMuch {
		skew = 0
	}
	s.skew.Store(int64(skew))
}

// warnings returns what /readyz names although this process is ready. A wrong clock
// is only a warning: all processes may seem wrong if the clock of Redis is.
func (s *Server) warnings() []health.Problem {
	skew := time.Duration(s.skew.Load())
	if skew == 0 {
		return nil
	}
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	return []health.Problem{{Cause: "clock_skew", Reason: fmt.Sprintf(
		"the clock of this process is %.1f s %s that of Redis: tokens may be inactive, or end early or late, at other processes; correct it (NTP)",
		skew.Abs().Seconds(), direction)}}
}
