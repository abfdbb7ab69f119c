package orgs

import (
	"context"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// maxName bounds a name, in characters. Names are part of text messages.
const maxName = 64

// Options is what a Service needs.
type Options struct {
	Store store.Orgs
	Feed  *feed.Feed
	Audit *audit.Log
	Now   func() time.Time
	// Clients and Customers are what orgs have.
	Clients, Customers Members
	// Keys are the API keys of orgs. nil: there are none.
	Keys Keys
}

// Keys removes API keys, which end with their org.
type Keys interface {
	RemoveOfOrg(ctx context.Context, org string) error
}

// Service holds the rules of orgs. Every change is audited. A change that voids
// something returns when every replica has applied it. What all kinds of records
// have in common is the embedded Registry's, except Delete.
type Service struct {
	*registry.Registry[store.Org]
	clients, customers Members
}

// New makes a Service.
func New(o Options) *Service {
	kind := registry.Kind[store.Org]{
		Kind: store.OrgKind, Valid: field.ValidID,
		Store: o.Store,
		View:  func(o store.Org) any { return view(o) },
		End:   func(o *store.Org, by string, now time.Time) { o.EndKeys(by, now) },
	}
	if o.Keys != nil {
		kind.Remove = func(ctx context.Context, org store.Org) error { return o.Keys.RemoveOfOrg(ctx, org.ID) }
	}
	return &Service{registry.New(kind, o.Feed, o.Audit, o.Now), o.Clients, o.Customers}
}

var (
	errID   = apierr.New(apierr.InvalidRequest, "an org's id must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ = + -").At("org_id")
	errName = apierr.New(apierr.InvalidRequest, "name must be one line of 1 to 64 characters: customers read it in messages").At("name")
)

// Put creates the org, or changes it to what the spec says. version is as in
// registry.Step. Errors: apierr.InvalidRequest, PreconditionFailed.
func (s *Service) Put(ctx context.Context, by audit.Actor, id string, version uint64, spec Spec) (v View, created bool, err error) {
	if !field.ValidID(id) {
		return View{}, false, errID
	}
	if !field.OneLine(spec.Name, maxName) {
		return View{}, false, errName
	}
	o, created, err := s.Registry.Put(ctx, s.first(id, spec), registry.Step[store.Org]{
		By: by, Action: "update", ID: id, Version: version,
		Edit: func(o *store.Org) error {
			if o.Name == spec.Name {
				return registry.ErrUnchanged
			}
			o.Name = spec.Name
			return nil
		},
	})
	return view(o), created, err
}

// first returns the record of a new org.
func (s *Service) first(id string, spec Spec) store.Org {
	return store.Org{ID: id, Name: spec.Name, Incarnation: registry.NewIncarnation(), Head: s.Registry.NewHead()}
}
