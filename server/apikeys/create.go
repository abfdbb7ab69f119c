package apikeys

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/store"
)

// Bounds of API keys (KEY_GUIDE.md).
const (
	defaultLifetime = 90 * 24 * time.Hour
	maxLifetime     = 365 * 24 * time.Hour
	minLifetime     = time.Minute
	maxLiveOfOwner  = 20
	maxLiveOfOrg    = 500
	maxName         = 255 // characters
	maxRanges       = 32
	maxResources    = 16
	maxResourceIDs  = 256 // of all types together
	// maxResourceBytes bounds the types and ids of one key together: every replica
	// caches that much.
	maxResourceBytes = 2 << 10
	// keepEnded is how long lists show a key that has ended, and maxEnded how many of
	// them an org has at most.
	keepEnded = 30 * 24 * time.Hour
	maxEnded  = 500
)

// resourceTypes are what a key can be restricted to.
var resourceTypes = []string{"account", "card"}

var (
	errOwner     = apierr.Member("owner", "an owner is 1 to 128 characters of A-Z a-z 0-9 . _ ~ = + -, and not a credential")
	errNoScope   = apierr.New(apierr.InvalidScope, "name the scopes of the key, separated by spaces").At("scope")
	errOwnRight  = apierr.New(apierr.InvalidScope, "introspect, admin:*, api-tokens and api-tokens-write are rights of clients: no API key has them").At("scope")
	errNoOrg     = apierr.New(apierr.NotFound, "there is no org with this id")
	errOrgOff    = apierr.New(apierr.Conflict, "the org is deactivated, so it has no API keys: reactivate it first (grantd org reactivate)")
	errOrgHeld   = apierr.New(apierr.Conflict, "the org is held back since the store came back older: look at it and release it (grantd store doctor)")
	errHeld      = apierr.New(apierr.Conflict, "the API key is held back since the store came back older: look at it and release it (grantd store doctor)")
	errOfOwner   = apierr.New(apierr.Conflict, "this owner already has 20 active keys: revoke one first")
	errOfOrg     = apierr.New(apierr.Conflict, "this org already has 500 active keys: revoke one first")
	errScopeLife = apierr.New(apierr.InvalidScope, "the catalog limits one of these scopes to a shorter lifetime (ttl)").At("scope")
)

// spec is a key to make.
type spec struct {
	owner, name string
	scope       string
	scopes      []string
	end         time.Time     // zero: after life
	life        time.Duration // 0: the default
	sourceIPs   []string
	resources   []store.Resource
	audience    []string
	position    store.Position
	madeWith    *store.KeyOrigin
	bearer      *bearer // that a client presented; nil: an operator makes the key
	faults      *faults
}

// faults are the errors for members whose names differ in the two APIs.
type faults struct{ name, credential, sources, life *apierr.Error }

// check completes the spec. Errors: apierr.InvalidRequest, InvalidScope.
func (s *Service) check(k *spec, now time.Time) (err error) {
	if !validOwner(k.owner) {
		return errOwner
	}
	if !field.OneLine(k.name, maxName) {
		return k.faults.name
	}
	if len(credential.Find(k.name, s.o.TokenPrefix)) > 0 { // names are in lists, in the audit and in the log
		return k.faults.credential
	}
	if k.scopes, err = s.parseScopes(k.scope); err != nil {
		return err
	}
	if err := s.checkLife(k, now); err != nil {
		return err
	}
	clean, ok := field.CleanRanges(k.sourceIPs)
	if !ok || len(k.sourceIPs) > maxRanges {
		return k.faults.sources
	}
	k.sourceIPs = clean
	return checkResources(k.resources)
}

// validOwner reports whether the owner is an id, and no credential in the wrong place.
func validOwner(owner string) bool { return field.ValidID(owner) && !credential.HasForm(owner) }

func (s *Service) parseScopes(text string) ([]string, error) {
	names, err := s.o.Catalogue().Parse(text)
	switch {
	case err != nil:
		return nil, apierr.New(apierr.InvalidScope, err.Error()).At("scope")
	case len(names) == 0:
		return nil, errNoScope
	case slices.ContainsFunc(names, scopes.Privileged):
		return nil, errOwnRight
	}
	return names, nil
}

// checkLife sets the end of the key.
func (s *Service) checkLife(k *spec, now time.Time) error {
	chosen := k.life != 0 || !k.end.IsZero()
	if k.end.IsZero() {
		if !chosen {
			k.life = defaultLifetime
		}
		k.end = now.Add(k.life.Truncate(time.Second))
	}
	k.end = k.end.UTC().Truncate(time.Second)
	life := k.end.Sub(now)
	switch longest := s.o.Catalogue().CapTTL(k.scopes, life); {
	case life < minLifetime || life > maxLifetime:
		return k.faults.life
	case longest < life && chosen:
		return errScopeLife
	default:
		k.end = now.Add(longest)
	}
	return nil
}

func checkResources(list []store.Resource) error {
	ids, length := 0, 0
	seen := map[string]bool{}
	for _, r := range list {
		if !slices.Contains(resourceTypes, r.Type) {
			return apierr.Member("resources", "a type in resources is unknown: the types are account and card")
		}
		if len(r.IDs) == 0 || seen[r.Type] || slices.ContainsFunc(r.IDs, func(id string) bool { return !validResourceID(id) }) {
			return errResources
		}
		seen[r.Type] = true
		ids += len(r.IDs)
		length += len(r.Type)
		for _, id := range r.IDs {
			length += len(id)
		}
	}
	if ids > maxResourceIDs || length > maxResourceBytes || len(list) > maxResources {
		return apierr.Member("resources", "resources has at most 256 ids, and their characters are at most 2048 together")
	}
	return nil
}

var errResources = apierr.Member("resources", `resources is a list such as [{"type":"card","ids":["12"]}]: each type once, with ids of 1 to 128 of A-Z a-z 0-9 . _ ~ = + : -`)

func validResourceID(s string) bool { return field.ValidID(strings.ReplaceAll(s, ":", "-")) }

// create makes a key of the org. The key cannot be read again.
// Errors: apierr.InvalidRequest, InvalidScope, NotFound (no such org), Conflict,
// InvalidToken (the bearer has ended meanwhile), Unavailable.
func (s *Service) create(ctx context.Context, by audit.Actor, orgID string, in spec) (plain string, k store.APIKey, err error) {
	now := s.Registry.Now()
	if err := s.check(&in, now); err != nil {
		return "", k, err
	}
	unlock, err := s.lock(ctx, orgID)
	if err != nil {
		return "", k, err
	}
	defer unlock()
	mark, err := s.o.Feed.Latest(ctx)
	if err != nil {
		return "", k, err
	}
	if in.bearer == nil {
		in.position = mark.Position
	}
	org, err := s.settledOrg(ctx, orgID)
	if err != nil {
		return "", k, err
	}
	if err := s.makeRoom(ctx, &org, in.owner, now); err != nil {
		return "", k, err
	}
	plain, k = s.newKey(&org, by, in)
	err = s.Registry.Create(ctx, by, k)
	s.Registry.Audit(ctx, by, k.ID, audit.Change{Action: "create", After: auditView(&k)}, err)
	if err == nil {
		err = s.confirm(ctx, by, &k, in.bearer)
	}
	if err != nil {
		return "", k, err
	}
	return plain, k, nil
}

// usableOrg returns the org. Errors: errNoOrg, errOrgOff, errOrgHeld.
func (s *Service) usableOrg(ctx context.Context, id string) (store.Org, error) {
	if !field.ValidID(id) {
		return store.Org{}, errNoOrg
	}
	org, err := s.o.Orgs.Get(ctx, id)
	switch {
	case err != nil:
		return org, asNoOrg(err)
	case org.DeactivatedAt != nil:
		return org, errOrgOff
	case org.Held():
		return org, errOrgHeld
	}
	return org, nil
}

// newKey returns the record of the key that was checked, and the key.
func (s *Service) newKey(org *store.Org, by audit.Actor, in spec) (plain string, k store.APIKey) {
	plain, id, hash := s.o.Credentials.MakeKey(in.end)
	return plain, store.APIKey{
		ID: id, OrgID: org.ID, OrgIncarnation: org.Incarnation, OrgKeyEpoch: org.KeyEpoch,
		Owner: in.owner, Name: in.name, Hash: hash, Scopes: in.scopes, Audience: in.audience, SourceIPs: in.sourceIPs, Resources: in.resources,
		CreatedBy: by.Name, MadeWith: in.madeWith, ExpiresAt: in.end, Position: in.position, Head: s.Registry.NewHead(),
	}
}

// makeRoom checks that the owner and the org may have another key, and removes keys of
// the org that ended so long ago that lists no longer show them, and those that ended
// before the last ones. Errors: apierr.Conflict.
func (s *Service) makeRoom(ctx context.Context, org *store.Org, owner string, now time.Time) error {
	live, ofOwner := 0, 0
	var ended []store.APIKey
	err := s.eachOf(ctx, org.ID, func(k *store.APIKey) {
		if k.EndedWith(org) || !k.Live(now) {
			ended = append(ended, *k)
			return
		}
		live++
		if k.Owner == owner {
			ofOwner++
		}
	})
	switch {
	case err != nil:
		return err
	case ofOwner >= maxLiveOfOwner:
		return errOfOwner
	case live >= maxLiveOfOrg:
		return errOfOrg
	}
	slices.SortFunc(ended, func(a, b store.APIKey) int { return endOf(&b, org).Compare(endOf(&a, org)) }) // the last one first
	for i := range ended {
		if k := &ended[i]; i >= maxEnded || now.Sub(endOf(k, org)) > keepEnded {
			_ = s.o.Store.Delete(ctx, k.ID, k.Version) // a leftover does no harm, and is removed the next time
		}
	}
	return nil
}

// endOf returns when the key ended or ends.
func endOf(k *store.APIKey, org *store.Org) time.Time {
	end := k.ExpiresAt
	if k.RevokedAt != nil && k.RevokedAt.Before(end) {
		end = *k.RevokedAt
	}
	if k.EndedWith(org) && org.KeysEndedAt != nil && org.KeysEndedAt.Before(end) {
		end = *org.KeysEndedAt
	}
	return end
}

// eachOf calls do with each key of the org; of all orgs if the org is "".
func (s *Service) eachOf(ctx context.Context, org string, do func(*store.APIKey)) error {
	for after := ""; ; {
		list, err := s.o.Store.List(ctx, store.Page{Group: org, After: after, Limit: page})
		if err != nil {
			return err
		}
		for i := range list {
			after = list[i].ID
			do(&list[i])
		}
		if len(list) < page {
			return nil
		}
	}
}
