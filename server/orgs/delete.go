package orgs

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

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

// maxCounted is how many members a refused deletion counts.
const maxCounted = 10_000

// Deletion is what one call of DeleteWithMembers has done.
type Deletion struct {
	Deleted    bool   `json:"deleted"` // the org; false: call again with the cursor
	Clients    int    `json:"clients"`
	Customers  int    `json:"customers"`
	NextCursor string `json:"next_cursor,omitempty"`
}

var errCursor = apierr.New(apierr.InvalidRequest, "cursor is not from this server: use next_cursor of the call before").At("cursor")

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

// DeleteWithMembers deactivates the org, which ends all its tokens, then deletes
// its clients and customers, then the org. One call works for some seconds. If
// more is left, the result has a cursor: call again with it. The version is
// checked only in the call without a cursor.
// Errors: apierr.NotFound, InvalidRequest, PreconditionFailed.
func (s *Service) DeleteWithMembers(ctx context.Context, by audit.Actor, id string, version uint64, cursor string) (d Deletion, err error) {
	of, after, err := parseCursor(cursor)
	if err != nil {
		return d, err
	}
	if cursor == "" {
		if err := s.shut(ctx, by, id, version); err != nil {
			return d, err
		}
	}
	for _, kind := range []struct {
		name    string
		members Members
		removed *int
	}{{"clients", s.clients, &d.Clients}, {"customers", s.customers, &d.Customers}} {
		if of != "" && of != kind.name {
			continue
		}
		*kind.removed, after, err = kind.members.RemoveOfOrg(ctx, by, id, after)
		if err != nil {
			return d, err
		}
		if after != "" {
			d.NextCursor = base64.RawURLEncoding.EncodeToString([]byte(kind.name + "/" + after))
			return d, nil
		}
		of = ""
	}
	err = s.Registry.Delete(ctx, by, id, 0)
	d.Deleted = err == nil
	return d, err
}

// shut deactivates the org and voids its tokens. A client or a customer that is
// made for it from now on is of no use.
func (s *Service) shut(ctx context.Context, by audit.Actor, id string, version uint64) error {
	_, err := s.Registry.Change(ctx, registry.Step[store.Org]{
		By: by, Action: "deactivate", ID: id, Version: version,
		Edit: func(o *store.Org) error {
			if now := s.Registry.Now(); o.DeactivatedAt == nil {
				o.DeactivatedAt = &now
			}
			o.Unannounced = true
			return nil
		},
	})
	return err
}

func parseCursor(cursor string) (of, after string, err error) {
	if cursor == "" {
		return "", "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	of, after, ok := strings.Cut(string(b), "/")
	if err != nil || !ok || of != "clients" && of != "customers" {
		return "", "", errCursor
	}
	return of, after, nil
}
