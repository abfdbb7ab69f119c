package clients

import (
	"context"
	"reflect"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

var (
	errOtherID  = bad("client_id", "client_id differs from the id in the path: leave it out")
	errPutHash  = bad("secret_hash", "PUT does not touch secrets: import a hash with POST /clients")
	errOrgFixed = apierr.New(apierr.Conflict, "the org of a client cannot change: send the org_id that it has, or make another client").At("org_id")
)

// Put makes the client, with one secret that cannot be read again, or makes an
// existing one what the spec says. What the spec leaves out gets its default. The
// secrets of an existing client stay as they are. Taking away a scope, a
// resource or an address that tokens are bound to voids the client's tokens. version is as in registry.Step.
// Errors: apierr.InvalidRequest, Conflict, PreconditionFailed.
func (s *Service) Put(ctx context.Context, by audit.Actor, id string, version uint64, spec NewSpec) (created Created, isNew bool, err error) {
	switch {
	case spec.ClientID != "" && spec.ClientID != id:
		return Created{}, false, errOtherID
	case spec.SecretHash != "":
		return Created{}, false, errPutHash
	}
	spec.ClientID = id
	first, plain, err := s.build(spec)
	if err == nil && first.OrgID != "" {
		first.OrgIncarnation, err = s.findOrg(ctx, first.OrgID)
	}
	if err != nil {
		return Created{}, false, err
	}
	c, isNew, err := s.Registry.Put(ctx, first, registry.Step[store.Client]{
		By: by, Action: "update", ID: id, Version: version,
		Edit: func(c *store.Client) error { return replace(c, &first) },
	})
	if err != nil {
		return Created{}, false, err
	}
	created.View = viewAt(c, s.o.Now())
	if isNew {
		created.ClientSecret, created.SecretID = plain, first.Secrets[0].ID
	}
	return created, isNew, nil
}

// replace gives the client everything that an operator sets and that next has.
func replace(c, next *store.Client) error {
	if c.OrgID != next.OrgID {
		return errOrgFixed
	}
	before := *c
	*c = next.Clone()
	c.OrgIncarnation, c.Secrets, c.Head = before.OrgIncarnation, before.Secrets, before.Head
	if reflect.DeepEqual(view(before), view(*c)) {
		return registry.ErrUnchanged
	}
	endNarrowed(&before, c)
	return nil
}

// boundTighter reports whether the tokens of the client, if they were issued now, could
// not be used from every address from which those could be that it has.
func boundTighter(before, after *store.Client) bool {
	switch {
	case !after.BindSourceIP:
		return false
	case !before.BindSourceIP:
		return true
	}
	return !field.RangesCover(after.SourceIPs, before.SourceIPs)
}

// endNarrowed makes sure that the tokens of the client end if it may get less than
// before.
func endNarrowed(before, after *store.Client) {
	if !scopes.Subset(before.Scopes, after.Scopes) || narrower(before.Resources, after.Resources) || boundTighter(before, after) {
		after.Unannounced = true
	}
}
