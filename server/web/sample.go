package web

import (
	"context"
	"log/slog"
	"net/http"
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
	// sampledCustomers is up to how many of those a customer is counted separately:
	// an app that serves many customers from one network leaves room for others.
	sampledCustomers = 12
)

// Sampler keeps the log short in a flood. Of the requests that get 429 (or 503: see
// Options.Quiet), it lets the
// first be logged of each network, caller, customer and limit with one cause, and counts
// the others. After a minute it logs how many there were. It is safe for concurrent use.
type Sampler struct {
	log *slog.Logger

	mu      sync.Mutex
	seen    map[sampled]*uncounted
	network map[netip.Prefix]int // how many of seen are of the network
	timer   *time.Timer          // runs while something is in seen
}

// sampled is what refusals that are alike have in common. party is empty for several
// callers, and network for several networks. All else has few values.
type sampled struct {
	network             netip.Prefix
	party               party
	code, reason, limit string
	secretRight         bool
}

// party is who was refused. customer is empty for several.
type party struct{ client, partner, org, actor, customer string }

// clone returns the party without the body of the request, which its texts may be
// part of.
func (p party) clone() party {
	return party{strings.Clone(p.client), strings.Clone(p.partner), strings.Clone(p.org), strings.Clone(p.actor), strings.Clone(p.customer)}
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
	key := sampled{
		network: fields.Network(l.address), party: party{l.ClientID, l.PartnerID, l.OrgID, l.Actor, l.CustomerID},
		code: l.Error, limit: l.Limit, secretRight: l.SecretRight,
	}
	if l.Cause != nil && l.status == http.StatusTooManyRequests { // those of 503 name ports, and all differ
		key.reason = l.Cause.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.seen[key]
	if !ok && s.network[key.network] >= sampledCustomers {
		key.party.customer = ""
		at, ok = s.seen[key]
	}
	if !ok && s.network[key.network] >= sampledOfNetwork {
		key.party = party{}
		at, ok = s.seen[key]
	}
	if !ok && len(s.seen) >= sampledAtOnce {
		key.party, key.network = party{}, netip.Prefix{}
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
	key.party = key.party.clone()
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
		if at.more > 0 {
			s.log.LogAttrs(context.Background(), slog.LevelInfo, "requests refused and not logged one by one", countAttrs(key, at)...)
		}
	}
}

// countAttrs returns the attributes of the line that says how many refusals there were.
func countAttrs(key sampled, at *uncounted) []slog.Attr {
	attrs := []slog.Attr{slog.Int64("more", at.more), slog.Time("since", at.since.UTC()), slog.String("route", at.route)}
	if at.address.IsValid() {
		attrs = append(attrs, slog.String("address", at.address.String()))
	}
	for _, f := range []field{
		{"client_id", key.party.client}, {"partner_id", key.party.partner}, {"org_id", key.party.org}, {"actor", key.party.actor},
		{"customer_id", key.party.customer}, {"limit", key.limit}, {"error", key.code}, {"cause", key.reason},
	} {
		if f.value != "" {
			attrs = append(attrs, slog.String(f.key, f.value))
		}
	}
	if key.secretRight {
		attrs = append(attrs, slog.Bool("secret_right", true))
	}
	return attrs
}
