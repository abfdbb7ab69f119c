package apikeys

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

// Request is what a client sends for an API key.
type Request struct {
	Description *string          `json:"description"`
	Scope       *string          `json:"scope"`
	Expiration  *string          `json:"expiration"` // RFC 3339
	SourceIP    *string          `json:"sourceIp"`
	Resources   []store.Resource `json:"resources"`
}

// attributes are the attributes of a key in a response; openapi.yaml has them too.
type attributes struct {
	CreatedAt   time.Time        `json:"createdAt"`
	Description string           `json:"description"`
	Expiration  time.Time        `json:"expiration"`
	Scope       string           `json:"scope"`
	SourceIP    string           `json:"sourceIp,omitempty"`
	Resources   []store.Resource `json:"resources,omitempty"`
	Token       string           `json:"token,omitempty"` // only when it was made
}

func document(k *store.APIKey) attributes {
	return attributes{
		CreatedAt: k.CreatedAt, Description: k.Name, Expiration: k.ExpiresAt, Scope: scopes.Join(k.Scopes),
		SourceIP: strings.Join(k.SourceIPs, ","), Resources: k.Resources,
	}
}

const maxSourceIPLen = 2048

var (
	errOwnerInPath = apierr.New(apierr.InvalidRequest, "the owner in the path is 1 to 128 characters of A-Z a-z 0-9 . _ ~ = + -, and not a credential")
	errNoText      = apierr.Member("description", "description is missing: say in one line what the key is for")
	errScope       = apierr.New(apierr.InvalidScope, "scope is missing: name the scopes of the key, separated by spaces").At("scope")
	errExpiration  = apierr.Member("expiration", "expiration is a time of RFC 3339, such as 2027-01-31T13:47:17Z")
	errSourceIP    = apierr.Member("sourceIp", "sourceIp is a list of IP addresses or CIDRs, separated by commas without spaces, at most 32")
	errWider       = apierr.New(apierr.AccessDenied, "the bearer token may only be used from some addresses, and sourceIp has others").At("sourceIp")
	errNoResources = apierr.Member("resources", "resources is empty: leave it out for a key that is not restricted")
)

var requestFaults = faults{
	name:       apierr.Member("description", "description is one line of 1 to 255 characters: what the key is for"),
	credential: apierr.Member("description", "description has a credential in it: say in words what the key is for"),
	sources:    errSourceIP,
	life:       apierr.Member("expiration", "expiration must be at least a minute and at most 365 days from now"),
}

// parse reads the request. Errors: apierr.InvalidRequest, InvalidScope.
func (r Request) parse() (in spec, err error) {
	in = spec{faults: &requestFaults, resources: r.Resources}
	if r.Description == nil {
		return in, errNoText
	}
	if r.Scope == nil {
		return in, errScope
	}
	in.name, in.scope = *r.Description, *r.Scope
	if r.Expiration != nil {
		end, err := time.Parse(time.RFC3339, *r.Expiration)
		if err != nil {
			return in, errExpiration
		}
		in.end = end
	}
	if r.Resources != nil && len(r.Resources) == 0 { // a program that lists the cards of an account that has none does not mean all cards
		return in, errNoResources
	}
	if r.SourceIP != nil {
		if len(*r.SourceIP) > maxSourceIPLen || strings.Count(*r.SourceIP, ",") >= maxRanges {
			return in, errSourceIP
		}
		var ok bool
		if in.sourceIPs, ok = field.CleanRanges(strings.Split(*r.SourceIP, ",")); !ok {
			return in, errSourceIP
		}
	}
	return in, nil
}

// createFor makes a key for a client. It reaches no further than the bearer token: it
// has only scopes of that token, its audience, and its addresses.
// Errors: apierr.InvalidRequest, InvalidScope, InsufficientScope, AccessDenied,
// NotFound, Conflict, InvalidToken, Unavailable.
func (s *Service) createFor(ctx context.Context, b bearer, owner string, r Request) (plain string, k store.APIKey, err error) {
	if credential.HasForm(owner) {
		return "", k, errOwnerInPath
	}
	in, err := r.parse()
	if err != nil {
		return "", k, err
	}
	names, err := s.parseScopes(in.scope)
	if err != nil {
		return "", k, err
	}
	held := strings.Fields(b.token.Scopes)
	if refused := slices.DeleteFunc(names, func(n string) bool { return slices.Contains(held, n) }); len(refused) > 0 {
		return "", k, &apierr.Error{
			Code: apierr.InsufficientScope, Field: "scope", Scope: scopes.Join(refused),
			Description: "the bearer token does not hold these scopes itself, so it cannot pass them on",
		}
	}
	if len(b.token.SourceIPs) > 0 {
		if len(in.sourceIPs) == 0 {
			in.sourceIPs = b.token.SourceIPs
		}
		if !within(in.sourceIPs, b.token.SourceIPs) {
			return "", k, errWider
		}
	}
	in.owner, in.audience, in.position, in.bearer = owner, b.token.Audience, b.found.Mark.Position, &b
	in.madeWith = &store.KeyOrigin{ClientID: b.token.ClientID, SecretID: b.token.SecretID, TokenID: tokens.ID(b.found.Digest)}
	return s.create(ctx, b.actor, b.token.OrgID, in)
}

// within reports whether each of the ranges is in one of the others.
func within(ranges, others []string) bool {
	return !slices.ContainsFunc(ranges, func(r string) bool {
		inner, err := field.ParseRange(r)
		return err != nil || !slices.ContainsFunc(others, func(o string) bool {
			outer, err := field.ParseRange(o)
			return err == nil && covers(outer, inner)
		})
	})
}

func covers(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

// liveOf returns the keys of the owner in the org that work. Errors: errNoOwner if
// the owner has none, and had none lately.
func (s *Service) liveOf(ctx context.Context, orgID, owner string) (live []store.APIKey, err error) {
	org, err := s.usableOrg(ctx, orgID)
	if err != nil {
		return nil, err
	}
	now, had := s.Registry.Now(), false
	keys, err := s.keysOf(ctx, orgID)
	for i := range keys {
		k := &keys[i]
		if k.Owner != owner || k.EndedWith(&org) || now.Sub(endOf(k, &org)) > keepEnded {
			continue
		}
		had = true
		if k.Live(now) && k.Usable() {
			live = append(live, *k)
		}
	}
	if err == nil && !had {
		err = errNoOwner
	}
	slices.SortFunc(live, func(a, b store.APIKey) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return live, err
}

// keysOf returns the keys of the org. Callers at the same time share them: they must not
// be changed. Errors: store.ErrUnavailable.
func (s *Service) keysOf(ctx context.Context, orgID string) ([]store.APIKey, error) {
	shared := context.WithoutCancel(ctx)
	keys, _, _, err := s.lists.Do(ctx, orgID, func(int) (keys []store.APIKey, err error) {
		ctx, cancel := context.WithTimeout(shared, readTimeout)
		defer cancel()
		if err := s.reading.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		defer s.reading.Release(1)
		err = s.eachOf(ctx, orgID, func(k *store.APIKey) { keys = append(keys, *k) })
		return keys, err
	})
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("list keys: %w: %w", store.ErrUnavailable, err)
	}
	return keys, err
}

// revokeOf ends a key of the owner in the org of the bearer. Errors: errNoKey, the
// same for a key that is unknown, of another owner, or of another org.
func (s *Service) revokeOf(ctx context.Context, b bearer, owner, id string) (store.APIKey, error) {
	k, err := s.Registry.Get(ctx, id)
	if err == nil && (k.OrgID != b.token.OrgID || k.Owner != owner) {
		return k, errNoKey
	}
	if err != nil {
		if registry.IgnoreNotFound(err) == nil {
			err = errNoKey
		}
		return k, err
	}
	org, err := s.usableOrg(ctx, b.token.OrgID)
	if err != nil {
		return k, err
	}
	if !org.Owns(k.OrgIncarnation, k.CreatedAt) {
		return k, errNoKey
	}
	return s.revoke(ctx, b.actor, id, settled)
}
