package web

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	fields "github.com/grantd/grantd/server/field"
)

const (
	// sampleEvery is how long the refusals that are alike are counted after one
	// was logged.
	sampleEvery = time.Minute
	// sampledAtOnce bounds what is counted separately, and sampledOfNetwork what
	// is of one network. What is beyond is counted together.
	sampledAtOnce    = 1_000
	sampledOfNetwork = 16
)

// Sampler keeps the log short in a flood. Of the requests that get 429, it lets the
// first be logged of each client, network and cause, and counts the others. After a
// minute it logs how many there were. It is safe for concurrent use.
type Sampler struct {
	log *slog.Logger

	mu      sync.Mutex
	seen    map[sampled]*uncounted
	network map[netip.Prefix]int // how many of seen are of the network
	timer   *time.Timer          // runs while something is in seen
}

// sampled is what refusals that are alike have in common. client is empty for several,
// and so is network.
type sampled struct {
	network              netip.Prefix
	client, code, reason string
}

// uncounted is what was refused and not logged.
type uncounted struct {
	more    int64
	since   time.Time
	route   string
	address netip.Addr // the last one
}

// NewSampler returns a Sampler that logs its counts to log. Call Flush at the end.
func NewSampler(log *slog.Logger) *Sampler {
	s := &Sampler{log: log, seen: map[sampled]*uncounted{}, network: map[netip.Prefix]int{}}
	s.timer = time.AfterFunc(time.Hour, s.Flush)
	s.timer.Stop()
	return s
}

// admit reports whether the line is to be logged, and counts it otherwise.
func (s *Sampler) admit(l *line, now time.Time) bool {
	key := sampled{network: fields.Network(l.address), client: l.ClientID, code: l.Error}
	if l.Cause != nil {
		key.reason = l.Cause.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.seen[key]
	if !ok && s.network[key.network] >= sampledOfNetwork {
		key.client = ""
		at, ok = s.seen[key]
	}
	if !ok && len(s.seen) >= sampledAtOnce {
		key.client, key.network = "", netip.Prefix{}
		at, ok = s.seen[key]
	}
	if ok {
		at.more++
		at.address = l.address
		return false
	}
	if len(s.seen) == 0 {
		s.timer.Reset(sampleEvery)
	}
	key.client = strings.Clone(key.client) // so that the body of the request is not kept
	s.seen[key] = &uncounted{since: now, route: l.route}
	s.network[key.network]++
	return true
}

// Flush logs what was counted, and forgets it.
func (s *Sampler) Flush() {
	s.mu.Lock()
	seen := s.seen
	s.seen, s.network = map[sampled]*uncounted{}, map[netip.Prefix]int{}
	s.timer.Stop()
	s.mu.Unlock()
	for key, at := range seen {
		if at.more == 0 {
			continue
		}
		attrs := []slog.Attr{slog.Int64("more", at.more), slog.Time("since", at.since.UTC()), slog.String("route", at.route)}
		if at.address.IsValid() {
			attrs = append(attrs, slog.String("address", at.address.String()))
		}
		for _, f := range []field{{"client_id", key.client}, {"error", key.code}, {"cause", key.reason}} {
			if f.value != "" {
				attrs = append(attrs, slog.String(f.key, f.value))
			}
		}
		s.log.LogAttrs(context.Background(), slog.LevelInfo, "requests refused and not logged one by one", attrs...)
	}
}
