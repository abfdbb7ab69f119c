package admin_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/tests/harness"
)

// readCounter counts the customers that lists return.
type readCounter struct {
	store.Store
	read    atomic.Int64
	indexed chan struct{} // closed: IndexGroups has returned
	once    sync.Once
}

func (c *readCounter) IndexGroups(ctx context.Context) (int, error) {
	defer c.once.Do(func() { close(c.indexed) })
	return c.Store.IndexGroups(ctx)
}

func (c *readCounter) Customers() store.Customers { return countedCustomers{c.Store.Customers(), c} }

type countedCustomers struct {
	store.Customers
	counter *readCounter
}

func (c countedCustomers) List(ctx context.Context, p store.Page) ([]store.Customer, error) {
	list, err := c.Customers.List(ctx, p)
	c.counter.read.Add(int64(len(list)))
	return list, err
}

// TestCustomersOfOneOrgAmongMany: what is about the customers of one org does not
// read those of others.
func TestCustomersOfOneOrgAmongMany(t *testing.T) {
	t.Parallel()
	e, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	counter := &readCounter{Store: e, indexed: make(chan struct{})}
	s := harness.Start(t, harness.Options{Use: counter})
	putOrg(t, s, "few", "few")
	want := []string{"c0100", "c0700", "c1150"}
	for _, id := range want {
		do(t, s, "PUT", "/customers/"+id, person("few"), http.StatusCreated)
	}
	addOthers(t, e, 1200)
	select {
	case <-counter.indexed:
	case <-t.Context().Done():
		t.Fatal("the index was not completed")
	}
	reads := func(what string, most int64, request func()) {
		t.Helper()
		counter.read.Store(0)
		request()
		if n := counter.read.Load(); n > most {
			t.Errorf("%s: %d customers were read, want at most %d of 1203", what, n, most)
		}
	}
	reads("list", 3, func() {
		ids, _ := paged(t, s, "/customers?limit=2&org_id=few", "customers", "customer_id")
		if d := cmp.Diff(want, ids); d != "" {
			t.Error(d)
		}
	})
	reads("search", 3, func() {
		found := do(t, s, "POST", "/customers/search", object{"org_id": "few", "phone": phoneOne}, http.StatusOK)
		if n := len(found["customers"].([]any)); n != 3 {
			t.Errorf("%d customers found", n)
		}
	})
	reads("refused deletion of the org", 3, func() { s.AdminDo(t, "DELETE", "/orgs/few", nil) })
	reads("deletion of the org", 6, func() {
		done := do(t, s, "DELETE", "/orgs/few?with_clients_and_customers=true", nil, http.StatusOK)
		if done["deleted"] != true || done["customers"] != 3.0 {
			t.Errorf("deletion: %v", done)
		}
	})
	if got := s.AdminDo(t, "GET", "/customers?org_id=few", nil); got.Body != `{"customers":[]}` {
		t.Errorf("after the deletion: %s", got.Body)
	}
}

// addOthers adds n customers of another org.
func addOthers(t *testing.T, s store.Store, n int) {
	t.Helper()
	items := make([]store.Item, n)
	for i := range items {
		now := time.Now().UTC().Truncate(time.Second)
		c := store.Customer{
			ID: fmt.Sprintf("d%04d", i), OrgID: "many", Type: store.Individual, Phone: phoneTwo, PhonesChangedAt: now,
			Head: store.Head{Version: 1, CreatedAt: now},
		}
		if i%2 == 0 {
			c.ID = fmt.Sprintf("b%04d", i)
		}
		form, err := store.CustomerKind.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		items[i] = store.Item{Section: store.SectionCustomers, Key: c.ID, Form: form}
	}
	if err := s.Load(t.Context(), items...); err != nil {
		t.Fatal(err)
	}
}
