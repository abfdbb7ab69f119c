package apikeys

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/coalesce"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/store"
)

// page is how many records one read returns when all records are read.
const page = 500

// Credentials makes and recognizes API keys; see server/tokens.
type Credentials interface {
	MakeKey(end time.Time) (plain, id, hash string)
	KeyOf(ctx context.Context, presented string) (orgID, id string, ok bool, err error)
}

// Options are what a Service needs.
type Options struct {
	Store       store.APIKeys
	Orgs        store.Orgs
	OrgRecords  *registry.Cache[store.Org] // the same orgs
	Uses        store.Uses
	Credentials Credentials
	Catalogue   func() *scopes.Catalogue
	Feed        *feed.Feed
	Audit       *audit.Log
	Now         func() time.Time
	TokenPrefix string // what access tokens begin with; "": nothing
}

// Service holds the rules of API keys. It audits every change. A change that ends a
// key returns when every replica has applied it.
type Service struct {
	*registry.Registry[store.APIKey]
	o    Options
	kind secretwatch.Kind[store.APIKey]
	// making has locks, one of them for each org: two keys that are made at the same
	// time must not both be the last that the bounds allow.
	making [16]chan struct{}
	seed   maphash.Seed
	// lists reads the keys of an org once for all callers that list some of them, and
	// reading bounds how many orgs are read at the same time: an org may have a thousand
	// records, and clients list keys as often as they like.
	lists   coalesce.Group[string, []store.APIKey]
	reading *semaphore.Weighted
}

const (
	maxReading  = 2
	readTimeout = 10 * time.Second
)

// New returns a Service.
func New(o Options) *Service {
	s := &Service{o: o, seed: maphash.MakeSeed(), reading: semaphore.NewWeighted(maxReading), kind: secretwatch.APIKeys(o.Store, o.OrgRecords)}
	for i := range s.making {
		s.making[i] = make(chan struct{}, 1)
	}
	s.Registry = registry.New(registry.Kind[store.APIKey]{
		Kind: store.APIKeyKind, Valid: credential.IsID, Store: o.Store,
		View:   func(k store.APIKey) any { return auditView(&k) },
		Stored: inFeed, MaxForm: maxFeedForm,
		End:   func(k *store.APIKey, by string, now time.Time) { revoke(k, by, now) },
		Ended: func(k *store.APIKey, now time.Time) bool { return !k.Live(now) },
	}, o.Feed, o.Audit, o.Now)
	return s
}

// maxFeedForm bounds what a key takes in the feed of each replica, for a day. If the
// store loses a key that is longer, its holder needs another one.
const maxFeedForm = 1 << 10

// inFeed returns what the feed holds of a key. One that was revoked never works again:
// an older store needs to know only that, and whose it was.
func inFeed(k store.APIKey) store.APIKey {
	if k.RevokedAt == nil {
		return k
	}
	k.Name, k.Scopes, k.Audience, k.SourceIPs, k.Resources, k.MadeWith = "", nil, nil, nil, nil, nil
	return k
}

// lock locks the making of keys for the org. Errors: store.ErrUnavailable if ctx ends
// first.
func (s *Service) lock(ctx context.Context, org string) (unlock func(), err error) {
	m := s.making[maphash.String(s.seed, org)%uint64(len(s.making))]
	select {
	case m <- struct{}{}:
		return func() { <-m }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for other keys of the org: %w: %w", store.ErrUnavailable, ctx.Err())
	}
}

// asNoOrg returns errNoOrg for an org that does not exist.
func asNoOrg(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return errNoOrg
	}
	return err
}
