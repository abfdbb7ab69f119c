package clients

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/fault"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

// Options are what a Service needs.
type Options struct {
	Environment string
	Store       store.Clients
	Uses        store.SecretUses
	Feed        *feed.Feed
	Audit       *audit.Log
	Catalogue   func() *scopes.Catalogue
	Now         func() time.Time
}

// Service holds the rules of clients and secrets. Every change is audited;
// one that voids or ends something returns when every replica has it.
type Service struct{ o Options }

// New makes a Service.
func New(o Options) *Service { return &Service{o: o} }

var (
	errNoClient  = fault.New(fault.NotFound, "there is no client with this id")
	errExists    = fault.New(fault.Conflict, "a client with this id exists already")
	errChanged   = fault.New(fault.Conflict, "the client was changed by somebody else in the meantime; try again")
	errStaleETag = fault.New(fault.PreconditionFailed, "the client has changed since it was read; read it again")
)

// Get answers one client. Errors: fault.NotFound.
func (s *Service) Get(ctx context.Context, id string) (View, error) {
	c, err := s.read(ctx, id)
	return view(c), err
}

// List answers up to limit clients with ids after the given one, by id.
func (s *Service) List(ctx context.Context, after string, limit int) ([]View, error) {
	records, err := s.o.Store.ListClients(ctx, after, limit)
	views := make([]View, len(records))
	for i, c := range records {
		views[i] = view(c)
	}
	return views, err
}

// Create makes a client with one secret, which is shown this once.
// Errors: fault.InvalidRequest, fault.Conflict.
func (s *Service) Create(ctx context.Context, by audit.Actor, spec NewSpec) (Created, error) {
	c, plain, err := s.build(spec)
	if err == nil {
		err = s.o.Store.CreateClient(ctx, c)
		if errors.Is(err, store.ErrExists) {
			err = errExists
		}
	}
	if err == nil {
		// Replicas may remember that there was no such client.
		err = s.o.Feed.Append(ctx, voidIf(false, c.ID, by))
	}
	created := Created{View: view(c), ClientSecret: plain}
	if len(c.Secrets) > 0 {
		created.SecretID = c.Secrets[0].ID
	}
	s.audited(ctx, audit.Change{Actor: by, Action: "client.create", Target: store.PrincipalClient(c.ID), After: created.View}, err)
	if err != nil {
		return Created{}, err
	}
	return created, nil
}

func (s *Service) build(spec NewSpec) (c store.Client, plain string, err error) {
	now := s.o.Now().UTC().Truncate(time.Second)
	c = store.Client{ID: spec.ClientID, OrgID: spec.OrgID, CreatedAt: now, UpdatedAt: now, Version: firstVersion()}
	if c.ID == "" {
		c.ID = auth.NewClientID()
	}
	if !auth.ValidClientID(c.ID) {
		return store.Client{}, "", bad("client_id", "client_id is 1 to 128 characters of A-Z a-z 0-9 . _ ~ -")
	}
	if c.OrgID != "" && !auth.ValidID(c.OrgID) {
		return c, "", bad("org_id", "org_id is 1 to 128 characters of A-Z a-z 0-9 . _ ~ = + -")
	}
	if err := spec.apply(&c, s.o.Catalogue()); err != nil {
		return c, "", err
	}
	secret := store.Secret{CreatedAt: now}
	if spec.SecretHash != "" {
		if err := auth.CheckImported(spec.SecretHash); err != nil {
			return c, "", bad("secret_hash", "secret_hash "+auth.ErrHash.Error())
		}
		secret.ID, secret.Hash = auth.NewSecretID(), spec.SecretHash
	} else {
		plain, secret.ID, secret.Hash = auth.NewSecret(s.o.Environment)
	}
	c.Secrets = []store.Secret{secret}
	return c, plain, nil
}

// firstVersion answers another number each time: a change that was begun for
// a deleted client must not fit the next one of the same id. It is small
// enough for every JSON parser.
func firstVersion() uint64 { return 1 + uint64(rand.Uint32()) }

// Update changes what the spec gives. Taking away a scope or a resource voids
// the client's tokens. version 0 means whatever version is stored.
// Errors: fault.NotFound, InvalidRequest, PreconditionFailed.
func (s *Service) Update(ctx context.Context, by audit.Actor, id string, version uint64, spec Spec) (View, error) {
	return s.change(ctx, step{
		by: by, action: "client.update", id: id, version: version,
		edit: func(c *store.Client) error {
			before := *c
			if err := spec.apply(c, s.o.Catalogue()); err != nil {
				return err
			}
			if !scopes.Subset(before.Scopes, c.Scopes) || narrower(before.Resources, c.Resources) {
				c.Unannounced = true
			}
			return nil
		},
		entries: func() []store.Entry { return []store.Entry{voidIf(false, id, by)} },
	})
}

// narrower says whether audiences were taken away: a client without any has
// tokens for every resource server.
func narrower(before, after []string) bool {
	if len(before) == 0 {
		return len(after) > 0
	}
	return !scopes.Subset(before, after)
}

// Deactivate refuses the client and voids its tokens, for good.
func (s *Service) Deactivate(ctx context.Context, by audit.Actor, id string) (View, error) {
	return s.change(ctx, step{
		by: by, action: "client.deactivate", id: id,
		edit: func(c *store.Client) error {
			if c.DeactivatedAt == nil {
				now := s.o.Now().UTC().Truncate(time.Second)
				c.DeactivatedAt = &now
			}
			return nil
		},
		entries: func() []store.Entry { return []store.Entry{voidIf(true, id, by)} },
	})
}

// Reactivate lets the client authenticate again; its old tokens stay void.
func (s *Service) Reactivate(ctx context.Context, by audit.Actor, id string) (View, error) {
	return s.change(ctx, step{
		by: by, action: "client.reactivate", id: id,
		edit:    func(c *store.Client) error { c.DeactivatedAt = nil; return nil },
		entries: func() []store.Entry { return []store.Entry{voidIf(false, id, by)} },
	})
}

// VoidTokens makes every token of the client inactive, in O(1).
func (s *Service) VoidTokens(ctx context.Context, by audit.Actor, id string) (View, error) {
	c, err := s.read(ctx, id)
	if err == nil {
		err = s.announce(ctx, voidIf(true, id, by))
	}
	s.audited(ctx, audit.Change{Actor: by, Action: "client.void_tokens", Target: store.PrincipalClient(id)}, err)
	return view(c), err
}

// Delete voids the client's tokens, then removes it.
// Errors: fault.NotFound, fault.PreconditionFailed.
func (s *Service) Delete(ctx context.Context, by audit.Actor, id string, version uint64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	c, err := s.read(ctx, id)
	if err == nil && version != 0 && c.Version != version {
		err = errStaleETag
	}
	if err == nil {
		err = s.remove(ctx, by, c)
	}
	var before any
	if err == nil {
		before = view(c)
	}
	s.audited(ctx, audit.Change{Actor: by, Action: "client.delete", Target: store.PrincipalClient(id), Before: before}, err)
	return err
}

// remove deactivates first, so that a replica that reads the record between
// void and removal refuses it, and tells the feed again when it is gone.
func (s *Service) remove(ctx context.Context, by audit.Actor, c store.Client) error {
	now := s.o.Now().UTC().Truncate(time.Second)
	c.DeactivatedAt = &now
	if err := s.o.Store.UpdateClient(ctx, c); err != nil {
		return asFault(err)
	}
	if err := s.o.Feed.Append(ctx, voidIf(true, c.ID, by)); err != nil {
		return err
	}
	if err := s.o.Store.DeleteClient(ctx, c.ID, c.Version+1); err != nil {
		return asFault(err)
	}
	return s.announce(ctx, voidIf(true, c.ID, by))
}
