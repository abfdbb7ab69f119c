package orgs

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// Members are records of another feature that belong to orgs.
type Members interface {
	// CountOfOrg returns how many the org has, at most limit.
	CountOfOrg(ctx context.Context, org string, limit int) (int, error)
	// RemoveOfOrg removes those after the given id, for some seconds. next is
	// the id to go on after, "" at the end.
	RemoveOfOrg(ctx context.Context, by audit.Actor, org, after string) (removed int, next string, err error)
}

const (
	// maxCounted is how many members a refused deletion counts.
	maxCounted = 10_000
	// checkTime bounds the check at the end of a call of DeleteWithMembers.
	checkTime = 30 * time.Second
)

// Deletion is what one call of DeleteWithMembers has done.
type Deletion struct {
	Deleted    bool   `json:"deleted"` // the org; false: call again with the cursor
	Clients    int    `json:"clients"`
	Customers  int    `json:"customers"`
	NextCursor string `json:"next_cursor,omitempty"`
}

var errCursor = apierr.New(apierr.InvalidRequest, "cursor is not from this server, or of a former org with the same id: use next_cursor of the call before, or none").At("cursor")

// Delete deletes an org that has neither clients nor customers. version is as in
// registry.Step. Errors: apierr.NotFound, Conflict, PreconditionFailed.
func (s *Service) Delete(ctx context.Context, by audit.Actor, id string, version uint64) error {
	if err := s.requireEmpty(ctx, id); err != nil {
		s.Registry.Audit(ctx, by, id, audit.Change{Action: "delete"}, err)
		return err
	}
	return s.Registry.Delete(ctx, by, id, version)
}

// requireEmpty returns an error if the org has clients or customers.
// Errors: apierr.NotFound, Conflict.
func (s *Service) requireEmpty(ctx context.Context, id string) error {
	if _, err := s.Registry.Get(ctx, id); err != nil {
		return err
	}
	clients, err := s.clients.CountOfOrg(ctx, id, maxCounted)
	if err != nil {
		return err
	}
	customers, err := s.customers.CountOfOrg(ctx, id, maxCounted)
	if err != nil || clients+customers == 0 {
		return err
	}
	has := count(clients, "client") + " and " + count(customers, "customer")
	if clients == 0 {
		has = count(customers, "customer")
	} else if customers == 0 {
		has = count(clients, "client")
	}
	return apierr.New(apierr.Conflict, fmt.Sprintf("this org has %s: delete them first, or together with the org "+
		"(grantd org delete ID --with-clients-and-customers; in the API with_clients_and_customers=true)", has))
}

// count returns the number with its noun.
func count(n int, noun string) string {
	switch {
	case n >= maxCounted:
		return fmt.Sprintf("at least %d %ss", maxCounted, noun)
	case n == 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// errReopened says that what was deleted so far had a live org in between.
var errReopened = apierr.New(apierr.Conflict, "someone else changed the org while it was being deleted: "+
	"all its tokens have ended, and some of its clients and customers may be deleted; delete it again")

// DeleteWithMembers deactivates the org, which ends all its tokens, then deletes
// its clients and customers, then the org. One call works for some seconds. If
// more is left, the result has a cursor: call again with it. The version is
// checked only in the call without a cursor. If the org has changed since the
// call before, it is deactivated again; if it changes during a call, its tokens
// end again and the call fails.
// Errors: apierr.NotFound, InvalidRequest, Conflict, PreconditionFailed.
func (s *Service) DeleteWithMembers(ctx context.Context, by audit.Actor, id string, version uint64, cursor string) (d Deletion, err error) {
	at, err := parseCursor(cursor)
	if err != nil {
		return d, err
	}
	org, err := s.shut(ctx, by, id, version, at)
	if err != nil {
		return d, err
	}
	next, err := s.removeMembers(ctx, by, id, at, &d)
	if err == nil && next.kind == "" {
		err = s.Registry.Delete(ctx, by, id, org.Version)
		d.Deleted = err == nil
	}
	if d.Deleted {
		return d, nil
	}
	if reopened := s.checkShut(ctx, by, org); reopened != nil {
		err = reopened
	}
	if err == nil {
		next.incarnation, next.version = org.Incarnation, org.Version
		d.NextCursor = next.String()
	}
	return d, err
}

// shut deactivates the org and voids its tokens. A client or a customer that is
// made for it from now on is of no use. It does nothing if the org is as the call
// before left it.
func (s *Service) shut(ctx context.Context, by audit.Actor, id string, version uint64, at place) (store.Org, error) {
	if at.kind != "" {
		version = 0
	}
	return s.Registry.Change(ctx, registry.Step[store.Org]{
		By: by, Action: "deactivate", ID: id, Version: version,
		Edit: func(o *store.Org) error {
			if at.kind != "" && o.Incarnation != at.incarnation {
				return errCursor
			}
			if at.kind != "" && o.Version == at.version && o.DeactivatedAt != nil {
				return registry.ErrUnchanged
			}
			now := s.Registry.Now()
			if o.DeactivatedAt == nil {
				o.DeactivatedAt = &now
			}
			o.EndKeys(by.Name, now)
			o.Unannounced = true
			return nil
		},
	})
}

// removeMembers removes clients and customers after the place for some seconds.
// next is the place to go on at, without a kind at the end.
func (s *Service) removeMembers(ctx context.Context, by audit.Actor, id string, at place, d *Deletion) (next place, err error) {
	for _, kind := range []struct {
		name    string
		members Members
		removed *int
	}{{kindClients, s.clients, &d.Clients}, {kindCustomers, s.customers, &d.Customers}} {
		if at.kind != "" && at.kind != kind.name {
			continue
		}
		var after string
		*kind.removed, after, err = kind.members.RemoveOfOrg(ctx, by, id, at.after)
		if err != nil {
			return place{}, err
		}
		if after != "" {
			return place{kind: kind.name, after: after}, nil
		}
		at = place{}
	}
	return place{}, nil
}

// checkShut returns an error if the org has changed since it was shut. It may
// have been reactivated: tokens that were made meanwhile, also for members that
// are removed, end first. A change after checkShut is found by the next call,
// which shuts the org again.
func (s *Service) checkShut(ctx context.Context, by audit.Actor, shut store.Org) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTime)
	defer cancel()
	o, err := s.Registry.Get(ctx, shut.ID)
	if err != nil || o.Version == shut.Version {
		return err
	}
	if _, err := s.Registry.VoidTokens(ctx, by, shut.ID); err != nil {
		return err
	}
	return errReopened
}

// The kinds of members, as a cursor names them.
const (
	kindClients   = "clients"
	kindCustomers = "customers"
)

// place is where a deletion goes on. kind is "" at the beginning.
type place struct {
	incarnation uint64 // of the org
	version     uint64 // of the org when the call before ended
	kind        string
	after       string // the id of a member
}

// String returns the cursor.
func (p place) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d/%d/%s/%s", p.incarnation, p.version, p.kind, p.after))
}

// parseCursor returns the place that the cursor says. Errors: errCursor.
func parseCursor(cursor string) (p place, err error) {
	if cursor == "" {
		return p, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	parts := strings.SplitN(string(b), "/", 4)
	if err != nil || len(parts) != 4 || parts[2] != kindClients && parts[2] != kindCustomers {
		return p, errCursor
	}
	p.kind, p.after = parts[2], parts[3]
	if p.incarnation, err = strconv.ParseUint(parts[0], 10, 64); err != nil {
		return p, errCursor
	}
	if p.version, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return p, errCursor
	}
	return p, nil
}
