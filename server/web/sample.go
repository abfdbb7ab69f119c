package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
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
	// sampledCauses bounds the causes of 503 that are counted separately.
	sampledCauses = 100
)

// Sampler keeps the log short in a flood. Of the requests that get 429, it lets the
// first be logged of each network, caller, customer and limit with one cause, and counts
// the others. It does the same with 401 and 403 of requests about calls of an API (see
// ForGateway). Responses 503 of a quiet engine are alike if they have one route and cause,
// because in an outage every caller gets them. After a minute it logs how many there
// were. It is safe for concurrent use.
type Sampler struct {
	log *slog.Logger

	mu      sync.Mutex
	seen    map[sampled]*uncounted
	network map[netip.Prefix]int // how many of seen are of the network
	causes  int                  // how many of seen are 503
	timer   *time.Timer          // runs while something is in seen
}

// sampled is what refusals that are alike have in common. party is empty for several
// callers, and network for several networks. All else has few values, except that of
// 503 the reason can be any text.
type sampled struct {
	status              int
	network             netip.Prefix
	party               party
	code, reason, limit string
	secretRight         bool
	route               string // only of 503
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

// isSampled reports whether such lines can come in floods.
func (l *line) isSampled() bool {
	switch l.status {
	case http.StatusTooManyRequests:
		return true
	case http.StatusServiceUnavailable:
		return l.quiet
	case http.StatusUnauthorized, http.StatusForbidden:
		return l.gateway
	}
	return false
}

// admit reports whether the line is to be logged, and counts it otherwise.
func (s *Sampler) admit(l *line, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var key sampled
	if l.status == http.StatusServiceUnavailable {
		key = s.keyOfCause(l)
	} else {
		key = s.keyOfCaller(l)
	}
	if at, ok := s.seen[key]; ok {
		at.more++
		at.address = l.address
		return false
	}
	if len(s.seen) == 0 {
		s.timer.Reset(sampleEvery)
	}
	key.party, key.reason = key.party.clone(), strings.Clone(key.reason)
	s.seen[key] = &uncounted{since: now, route: l.route}
	if l.status == http.StatusServiceUnavailable {
		s.causes++
	} else {
		s.network[key.network]++
	}
	return true
}

// keyOfCaller returns what the refusal of a caller has in common with others.
func (s *Sampler) keyOfCaller(l *line) sampled {
	key := sampled{
		status: l.status, network: fields.Network(l.address), party: party{l.ClientID, l.PartnerID, l.OrgID, l.Actor, l.CustomerID},
		code: l.Error, limit: l.Limit, secretRight: l.SecretRight,
	}
	if l.Cause != nil {
		key.reason = l.Cause.Error()
	}
	_, ok := s.seen[key]
	if !ok && s.network[key.network] >= sampledCustomers {
		key.party.customer = ""
		_, ok = s.seen[key]
	}
	if !ok && s.network[key.network] >= sampledOfNetwork {
		key.party = party{}
		_, ok = s.seen[key]
	}
	if !ok && len(s.seen)-s.causes >= sampledAtOnce {
		key.party, key.network = party{}, netip.Prefix{}
	}
	return key
}

// keyOfCause returns what a failure has in common with others.
func (s *Sampler) keyOfCause(l *line) sampled {
	key := sampled{status: l.status, code: l.Error, route: l.route}
	if l.Cause != nil {
		key.reason = withoutLocalAddress(l.Cause.Error())
	}
	if _, ok := s.seen[key]; !ok && s.causes >= sampledCauses {
		key.reason, key.route = "", ""
	}
	return key
}

// addressOfConnection matches the address of this end of a connection, which net puts
// before an arrow, and ports.
var addressOfConnection = regexp.MustCompile(`[^ ]+->|:[0-9]+`)

// withoutLocalAddress returns the text of an error without what differs each time.
func withoutLocalAddress(text string) string { return addressOfConnection.ReplaceAllString(text, "") }

// Flush logs what was counted, and forgets it.
func (s *Sampler) Flush() {
	s.mu.Lock()
	seen := s.seen
	s.seen, s.network, s.causes = map[sampled]*uncounted{}, map[netip.Prefix]int{}, 0
	s.timer.Stop()
	s.mu.Unlock()
	for key, at := range seen {
		if at.more > 0 {
			level := (&line{status: key.status}).level()
			s.log.LogAttrs(context.Background(), level, "requests refused and not logged one by one", countAttrs(key, at)...)
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
