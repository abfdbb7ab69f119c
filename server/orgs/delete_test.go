package orgs

import (
	"context"
	"encoding/base64"
	"testing"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

// slowly is the members of orgs whose removal takes two calls.
type slowly struct {
	nobody
	during func() // called in each removal
	calls  int
}

func (m *slowly) RemoveOfOrg(_ context.Context, _ audit.Actor, _, after string) (int, string, error) {
	m.calls++
	if m.during != nil {
		m.during()
	}
	if after == "" {
		return 1, "c1", nil
	}
	return 1, "", nil
}

// deletion is a service with the org acme, whose customers are removed slowly.
func deletion(t *testing.T) (s *Service, customers *slowly, f *feed.Feed) {
	t.Helper()
	s, f, _ = serviceWithFeed(t)
	customers = &slowly{}
	s.customers = customers
	_, _, err := s.Put(t.Context(), by, "acme", 0, Spec{Name: "Acme"})
	refused(t, "put", err, "", "")
	return s, customers, f
}

// begin makes the first call, which does not end the deletion.
func begin(t *testing.T, s *Service) (cursor string) {
	t.Helper()
	d, err := s.DeleteWithMembers(t.Context(), by, "acme", 0, "")
	refused(t, "the first call", err, "", "")
	if d.Deleted || d.Customers != 1 || d.NextCursor == "" {
		t.Fatalf("the first call: %+v", d)
	}
	return d.NextCursor
}

// mint reactivates the org and returns the position of a token that is made then.
func mint(t *testing.T, s *Service, f *feed.Feed) store.Position {
	t.Helper()
	_, err := s.Reactivate(t.Context(), by, "acme")
	refused(t, "reactivate", err, "", "")
	return f.Position()
}

func ended(t *testing.T, rule string, f *feed.Feed, made store.Position) {
	t.Helper()
	if _, void := f.VoidedKey(store.PrincipalOrg("acme"), made); !void {
		t.Errorf("%s: a token that was made meanwhile is alive", rule)
	}
}

// A call with a cursor does not write the org again if nobody has changed it.
func TestDeleteInTwoCalls(t *testing.T) {
	s, customers, f := deletion(t)
	cursor := begin(t, s)
	before := f.Position()
	customers.during = func() { // after shut
		if f.Position() != before {
			t.Error("the org was shut again")
		}
	}
	d, err := s.DeleteWithMembers(t.Context(), by, "acme", 0, cursor)
	refused(t, "the second call", err, "", "")
	if !d.Deleted || d.NextCursor != "" {
		t.Errorf("%+v", d)
	}
	_, err = s.Get(t.Context(), "acme")
	refused(t, "the org", err, apierr.NotFound, "")
}

// An org that is reactivated between two calls is shut again before more of it
// is removed.
func TestDeleteAfterReactivation(t *testing.T) {
	s, customers, f := deletion(t)
	cursor := begin(t, s)
	made := mint(t, s, f)
	customers.during = func() {
		ended(t, "at the removal", f, made)
		if o, err := s.Get(t.Context(), "acme"); err != nil || o.DeactivatedAt == nil {
			t.Errorf("an active org loses customers: %+v, %v", o, err)
		}
	}
	d, err := s.DeleteWithMembers(t.Context(), by, "acme", 0, cursor)
	refused(t, "the second call", err, "", "")
	if !d.Deleted || customers.calls != 2 {
		t.Errorf("%+v after %d removals", d, customers.calls)
	}
}

// An org that is reactivated during a call stays, and its tokens end again:
// those of customers that are removed have no other void.
func TestDeleteDuringReactivation(t *testing.T) {
	for _, calls := range []int{1, 2} {
		s, customers, f := deletion(t)
		cursor := ""
		if calls == 2 {
			cursor = begin(t, s)
		}
		var made store.Position
		customers.during = func() { made = mint(t, s, f) }
		d, err := s.DeleteWithMembers(t.Context(), by, "acme", 0, cursor)
		refused(t, "reactivated meanwhile", err, apierr.Conflict, "")
		ended(t, "afterward", f, made)
		if o, err := s.Get(t.Context(), "acme"); err != nil || o.DeactivatedAt != nil || d.Deleted {
			t.Errorf("call %d: the org that somebody has reactivated: %+v, %v; %+v", calls, o, err, d)
		}
	}
}

// A cursor is of one incarnation of the org.
func TestDeleteCursors(t *testing.T) {
	s, customers, _ := deletion(t)
	cursor := begin(t, s)
	refused(t, "delete", s.Delete(t.Context(), by, "acme", 0), "", "")
	_, _, err := s.Put(t.Context(), by, "acme", 0, Spec{Name: "Acme"})
	refused(t, "put", err, "", "")
	text := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for _, cursor := range []string{cursor, "%", text("customers/c1"), text("1/1/partners/c1"), text("/1/customers/c1"), text("1/x/customers/c1")} {
		_, err = s.DeleteWithMembers(t.Context(), by, "acme", 0, cursor)
		refused(t, cursor, err, apierr.InvalidRequest, "cursor")
	}
	if o, err := s.Get(t.Context(), "acme"); err != nil || o.DeactivatedAt != nil || customers.calls != 1 {
		t.Errorf("the new org: %+v, %v; %d removals", o, err, customers.calls)
	}
}
