package orgs

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

var by = audit.Actor{Name: "uid:0"}

// service returns the service on an empty store, which tests make fail.
func service(t *testing.T) (*Service, *storetest.Faulty) {
	t.Helper()
	s, _, faulty := serviceWithFeed(t)
	return s, faulty
}

func serviceWithFeed(t *testing.T) (*Service, *feed.Feed, *storetest.Faulty) {
	t.Helper()
	s, err := embedded.Open(embedded.Options{Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	faulty, log := storetest.NewFaulty(s), slog.New(slog.DiscardHandler)
	f := feed.New(feed.Options{Store: faulty, MaxStaleness: time.Second, Now: time.Now, Log: log})
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	return New(Options{Store: faulty.Orgs(), Feed: f, Audit: &audit.Log{Store: faulty, Now: time.Now, Log: log}, Now: time.Now, Clients: nobody{}, Customers: nobody{}}), f, faulty
}

// nobody is the members of orgs that have none.
type nobody struct{}

func (nobody) CountOfOrg(context.Context, string, int) (int, error) { return 0, nil }

func (nobody) RemoveOfOrg(context.Context, audit.Actor, string, string) (int, string, error) {
	return 0, "", nil
}

func refused(t *testing.T, rule string, err error, code apierr.Code, field string) {
	t.Helper()
	var e *apierr.Error
	switch {
	case code == "":
		if err != nil {
			t.Errorf("%s: %v", rule, err)
		}
	case !errors.As(err, &e) || e.Code != code || e.Field != field:
		t.Errorf("%s: error %v, want %s of %q", rule, err, code, field)
	}
}

// Put creates, renames, and leaves an org alone that has the name already.
func TestPut(t *testing.T) {
	s, faulty := service(t)
	first, created, err := s.Put(t.Context(), by, "acme", 0, Spec{Name: "Acme"})
	refused(t, "a new one", err, "", "")
	if !created || first.Name != "Acme" || !first.Active {
		t.Errorf("created %v: %+v", created, first)
	}
	second, created, err := s.Put(t.Context(), by, "acme", first.Version, Spec{Name: "Acme Bank"})
	refused(t, "another name", err, "", "")
	if created || second.Name != "Acme Bank" || second.Version != first.Version+1 {
		t.Errorf("created %v: %+v", created, second)
	}
	writes := faulty.Calls("UpdateOrg")
	third, _, err := s.Put(t.Context(), by, "acme", 0, Spec{Name: "Acme Bank"})
	refused(t, "the same name", err, "", "")
	if third.Version != second.Version || faulty.Calls("UpdateOrg") != writes {
		t.Errorf("it was written: %+v", third)
	}
	_, _, err = s.Put(t.Context(), by, "acme", first.Version, Spec{Name: "Acme"})
	refused(t, "an older version", err, apierr.PreconditionFailed, "")
	_, _, err = s.Put(t.Context(), by, "none", registry.AnyVersion, Spec{Name: "None"})
	refused(t, "any version of none", err, apierr.PreconditionFailed, "")
}

func TestPutRejections(t *testing.T) {
	s, faulty := service(t)
	for _, row := range []struct{ rule, id, name, field string }{
		{"no id", "", "Acme", "org_id"},
		{"an id with a slash", "a/b", "Acme", "org_id"},
		{"an id with a colon", "a:b", "Acme", "org_id"},
		{"an id that is too long", strings.Repeat("a", 129), "Acme", "org_id"},
		{"no name", "acme", "", "name"},
		{"only spaces", "acme", "  ", "name"},
		{"two lines", "acme", "Ac\nme", "name"},
		{"a name that is too long", "acme", strings.Repeat("ä", maxName+1), "name"},
	} {
		_, _, err := s.Put(t.Context(), by, row.id, 0, Spec{Name: row.name})
		refused(t, row.rule, err, apierr.InvalidRequest, row.field)
	}
	_, created, err := s.Put(t.Context(), by, "acme", 0, Spec{Name: strings.Repeat("ä", maxName)})
	refused(t, "the longest name", err, "", "")
	if !created || faulty.Calls("CreateOrg") != 1 {
		t.Errorf("created %v; %d attempts to create", created, faulty.Calls("CreateOrg"))
	}
}

// An org that is created again is another incarnation: grants of the former one
// do not count for it.
func TestIncarnation(t *testing.T) {
	s, _ := service(t)
	seen := map[uint64]bool{}
	for range 2 {
		_, _, err := s.Put(t.Context(), by, "acme", 0, Spec{Name: "Acme"})
		refused(t, "put", err, "", "")
		o, err := s.Get(t.Context(), "acme")
		refused(t, "get", err, "", "")
		renamed, _, err := s.Put(t.Context(), by, "acme", o.Version, Spec{Name: "Acme Bank"})
		refused(t, "rename", err, "", "")
		if after, _ := s.Get(t.Context(), "acme"); after.Incarnation != o.Incarnation || after.Version != renamed.Version {
			t.Errorf("a new name is no new org: %+v", after)
		}
		seen[o.Incarnation] = true
		refused(t, "delete", s.Delete(t.Context(), by, "acme", 0), "", "")
	}
	if len(seen) != 2 {
		t.Errorf("incarnations %v", seen)
	}
}
