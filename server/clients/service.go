package clients

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/store"
)

// Options is what a Service needs.
type Options struct {
	Environment string
	Store       store.Clients
	Uses        store.Uses
	Feed        *feed.Feed
	Audit       *audit.Log
	Orgs        store.Orgs
	Catalogue   func() *scopes.Catalogue
	// Keys are the API keys that clients make. nil: there are none.
	Keys Keys
	Now  func() time.Time
}

// Keys ends the API keys of the org that were made with what the origin names, and
// returns their ids.
type Keys interface {
	EndMadeWith(ctx context.Context, by audit.Actor, orgID string, with store.KeyOrigin) (ended []string, err error)
}

// Service holds the rules of clients and secrets. Every change is audited. A
// change that voids or ends something returns when every replica has applied
// it. The embedded Registry has what all kinds of records have in common: Get,
// Deactivate, Reactivate, VoidTokens, Delete.
type Service struct {
	*registry.Registry[store.Client]
	o        Options
	secrets  secretwatch.Kind[store.Client]
	checking *semaphore.Weighted // of FindImported
}

// New makes a Service.
func New(o Options) *Service {
	kind := registry.Kind[store.Client]{
		Kind: store.ClientKind, Valid: field.ValidClientID,
		Store: o.Store,
		View:  func(c store.Client) any { return view(c) },
		Tidy:  func(c *store.Client, now time.Time) { c.Secrets = withoutLongEnded(c.Secrets, now) },
	}
	if o.Keys != nil {
		kind.EndMore = func(ctx context.Context, by audit.Actor, c store.Client) error {
			_, err := o.Keys.EndMadeWith(ctx, by, c.OrgID, store.KeyOrigin{ClientID: c.ID})
			return err
		}
	}
	return &Service{registry.New(kind, o.Feed, o.Audit, o.Now), o, secretwatch.Secrets(o.Store), semaphore.NewWeighted(1)}
}

// Create makes a client with one secret. The secret cannot be read again. A spec
// that is refused is not audited: nothing has this id.
// Errors: apierr.InvalidRequest, apierr.Conflict.
func (s *Service) Create(ctx context.Context, by audit.Actor, spec NewSpec) (Created, error) {
	c, plain, err := s.build(spec)
	if err == nil && c.OrgID != "" {
		c.OrgIncarnation, err = s.findOrg(ctx, c.OrgID)
	}
	if e := (*apierr.Error)(nil); errors.As(err, &e) && e.Code == apierr.InvalidRequest {
		return Created{}, err
	}
	if err == nil {
		err = s.Registry.Create(ctx, by, c)
	}
	created := Created{View: viewAt(c, s.o.Now()), ClientSecret: plain}
	if len(c.Secrets) > 0 {
		created.SecretID = c.Secrets[0].ID
	}
	s.Registry.Audit(ctx, by, c.ID, audit.Change{Action: "create", After: created.View}, err)
	if err != nil {
		return Created{}, err
	}
	return created, nil
}

var errOrgID = bad("org_id", "org_id must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ = + -")

var errNoOrg = bad("org_id", "there is no org with this id: make it first (grantd org put)")

// findOrg returns the incarnation of the org with this id.
// Errors: apierr.InvalidRequest if there is none.
func (s *Service) findOrg(ctx context.Context, id string) (incarnation uint64, err error) {
	o, err := s.o.Orgs.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return 0, errNoOrg
	}
	return o.Incarnation, err
}

// CountOfOrg returns how many clients the org has, at most limit.
func (s *Service) CountOfOrg(ctx context.Context, org string, limit int) (int, error) {
	return s.Registry.CountMembers(ctx, "", belongsTo(org), limit)
}

// RemoveOfOrg removes clients of the org, whose tokens are void; see
// registry.RemoveMembers.
func (s *Service) RemoveOfOrg(ctx context.Context, by audit.Actor, org, after string) (removed int, next string, err error) {
	return s.Registry.RemoveMembers(ctx, by, "", after, belongsTo(org))
}

func belongsTo(org string) func(*store.Client) bool {
	return func(c *store.Client) bool { return c.OrgID == org }
}

// build returns the record that the spec describes, and its secret.
func (s *Service) build(spec NewSpec) (c store.Client, plain string, err error) {
	if spec.ClientID == "" {
		spec.ClientID = credential.NewClientID()
	}
	if c, err = s.record(spec); err != nil {
		return c, "", err
	}
	var secret store.Secret
	if spec.SecretHash != "" {
		secret, err = importedSecret("secret_hash", spec.SecretHash)
	} else {
		plain, secret.ID, secret.Hash = credential.NewSecret(s.o.Environment)
	}
	if err != nil {
		return c, "", err
	}
	secret.CreatedAt = c.CreatedAt
	c.Secrets = []store.Secret{secret}
	return c, plain, nil
}

// record returns the record that the spec describes, without secrets.
func (s *Service) record(spec NewSpec) (store.Client, error) {
	c := store.Client{ID: spec.ClientID, OrgID: spec.OrgID, Head: s.Registry.NewHead()}
	if !field.ValidClientID(c.ID) {
		return store.Client{}, bad("client_id", "client_id must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ -")
	}
	if c.OrgID != "" && !field.ValidID(c.OrgID) {
		return c, errOrgID
	}
	err := spec.apply(&c, s.o.Catalogue())
	return c, err
}

// Update changes the fields that the spec gives. Taking away a scope, a resource or
// an address that tokens are bound to voids the client's tokens. version is as in
// registry.Step.
// Errors: apierr.NotFound, InvalidRequest, PreconditionFailed.
func (s *Service) Update(ctx context.Context, by audit.Actor, id string, version uint64, spec Spec) (View, error) {
	c, err := s.Registry.Change(ctx, registry.Step[store.Client]{
		By: by, Action: "update", ID: id, Version: version,
		Edit: func(c *store.Client) error {
			before := *c
			if err := spec.apply(c, s.o.Catalogue()); err != nil {
				return err
			}
			endNarrowed(&before, c)
			return nil
		},
	})
	return viewAt(c, s.o.Now()), err
}

// narrower reports whether audiences were taken away. The tokens of a client
// without any are for every resource server.
func narrower(before, after []string) bool {
	if len(before) == 0 {
		return len(after) > 0
	}
	return !scopes.Subset(before, after)
}
