package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/grantd/grantd/scopes/endpoints"
)

// answer is an answer of the authorization server about one token. What is below
// checked does not change once the answer is shared.
type answer struct {
	checked  atomic.Uint64 // the generation of the view at which no void had ended it
	token    *Token
	keys     []uint64 // void keys
	position position // of the feed at which the token was active
	follows  bool     // keys and position are known
	coherent bool     // see view.coherent
	epoch    uint64   // of the view when it was asked for
	sent     instant  // just before it was asked for
	deadline instant  // the end of the token; never: not known
}

// Limits of a response.
const (
	maxResponse = 64 << 10
	maxVoidKeys = 64
	maxList     = 1024
	skew        = time.Second    // Date has whole seconds
	longest     = 24 * time.Hour // nothing is kept for longer
)

var (
	errNoActive   = errors.New("the response has no member active")
	errLists      = errors.New("the response has too long a list")
	errNotFollow  = errors.New("the response has only one of void_keys and feed_position")
	errScope      = errors.New("the response has a malformed scope")
	errExp        = errors.New("the response has an exp that is not a time")
	inactiveJSON  = []byte(`{"active":false}`)
	inactiveToken = &Token{Raw: inactiveJSON}
)

// parseAnswer reads the body of an introspection.
func parseAnswer(body []byte) (*answer, error) {
	var m members
	raw, err := m.read(body)
	if err != nil {
		return nil, err
	}
	switch {
	case m.active == nil:
		return nil, errNoActive
	case !*m.active:
		return &answer{token: inactiveToken, deadline: never}, nil
	case m.exp < 0 || m.iat < 0 || m.authTime < 0:
		return nil, errExp
	}
	a := &answer{deadline: never}
	if a.token, err = m.token(raw); err != nil {
		return nil, err
	}
	return a, m.follow(a)
}

// follow reads what a cache needs.
func (m *members) follow(a *answer) (err error) {
	if (len(m.voidKeys) == 0) != (m.position == "") {
		return errNotFollow
	}
	if len(m.voidKeys) == 0 {
		return nil
	}
	if len(m.voidKeys) > maxVoidKeys {
		return errLists
	}
	a.keys = make([]uint64, len(m.voidKeys))
	for i, k := range m.voidKeys {
		if a.keys[i], err = parseVoidKey(k); err != nil {
			return err
		}
	}
	a.position, err = parsePosition(m.position)
	a.follows = err == nil
	return err
}

// token returns the token that the response describes.
func (m *members) token(raw []byte) (*Token, error) {
	t := &Token{
		Active: true, Subject: m.sub, ClientID: m.client, Use: m.use, OrgID: m.org, CustomerID: m.customer,
		AuthorizedUserID: m.authorized, PartnerID: m.partner, Issuer: m.iss, JTI: m.jti,
		SourceIPs: m.sourceIPs, Endpoints: m.endpoints, AMR: m.amr, Raw: raw,
		IssuedAt: unix(m.iat), ExpiresAt: unix(m.exp), AuthTime: unix(m.authTime),
		bound: m.tokenType != nil && !strings.EqualFold(*m.tokenType, "Bearer") || len(m.cnf) > 0 && string(m.cnf) != "null",
	}
	if m.act != nil {
		t.Actor = &Actor{Subject: m.act.Sub}
	}
	if len(m.sourceIPs) > maxList || len(m.resources) > maxList || len(m.amr) > maxList {
		return nil, errLists
	}
	if m.scope != "" {
		t.Scopes = strings.Split(m.scope, " ")
		if slices.Contains(t.Scopes, "") {
			return nil, errScope
		}
	}
	for _, r := range m.resources {
		t.Resources = append(t.Resources, Resource{Type: r.Type, IDs: r.IDs})
	}
	var err error
	if t.Audience, err = parseAudience(m.aud); err != nil {
		return nil, err
	}
	if t.sources, err = parseSources(m.sourceIPs); err != nil {
		return nil, err
	}
	if t.endpoints, err = endpoints.Parse(m.endpoints); err != nil {
		return nil, fmt.Errorf("the endpoints of the token: %w", err)
	}
	return t, nil
}

func unix(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}

// parseAudience reads a text or a list of texts (RFC 7519 §4.1.3).
func parseAudience(raw json.RawMessage) (list []string, err error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var one string
	if err := json.Unmarshal(raw, &one); err == nil && one != "" {
		return []string{one}, nil
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, typeError("aud")
	}
	if len(list) > maxList {
		return nil, errLists
	}
	return list, nil
}

// parseSources reads addresses and CIDRs.
func parseSources(list []string) (ranges []netip.Prefix, err error) {
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, err := netip.ParseAddr(s)
			if err != nil {
				return nil, errors.New("the source_ips of the token: one is neither an address nor a CIDR")
			}
			a = a.Unmap().WithZone("")
			p = netip.PrefixFrom(a, a.BitLen())
		}
		ranges = append(ranges, p)
	}
	return ranges, nil
}

