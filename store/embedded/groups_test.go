package embedded

import (
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest"
)

// TestFileWithoutIndexOfGroups: in a file that an older grantd wrote, every customer
// of an org is listed, before IndexGroups and after it.
func TestFileWithoutIndexOfGroups(t *testing.T) {
	t.Parallel()
	clock, folder := storetest.NewClock(), t.TempDir()
	s := open(t, folder, clock)
	var want []string
	for _, id := range []string{"1", "2", "3", "4"} {
		for _, org := range []string{"a", "b"} {
			if err := s.Customers().Create(t.Context(), store.Customer{ID: org + id, OrgID: org}); err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, "a"+id)
	}
	if err := s.db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketCustomerGroups) }); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = open(t, folder, clock)
	lists := func(when string) {
		t.Helper()
		list, err := s.Customers().List(t.Context(), store.Page{Group: "a", Limit: 10})
		ids := make([]string, len(list))
		for i := range list {
			ids[i] = list[i].ID
		}
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("%s: %v, %v; want %v", when, ids, err, want)
		}
	}
	index := func(want int) {
		t.Helper()
		if n, err := s.IndexGroups(t.Context()); n != want || err != nil {
			t.Errorf("%d added, %v; want %d", n, err, want)
		}
	}
	lists("before")
	if err := s.Customers().Create(t.Context(), store.Customer{ID: "a5", OrgID: "a"}); err != nil {
		t.Fatal(err)
	}
	want = append(want, "a5")
	lists("with an entry")
	index(8)
	lists("after")
	index(0)
	// An older grantd that ran in between has deleted one, and created another.
	if err := s.db.Update(func(tx *bbolt.Tx) error {
		if err := tx.Bucket(bucketCustomers).Delete([]byte("a2")); err != nil {
			return err
		}
		return tx.Bucket(bucketCustomerGroups).Delete([]byte(store.GroupMember("a", "a3")))
	}); err != nil {
		t.Fatal(err)
	}
	index(1)
	want = slices.DeleteFunc(want, func(id string) bool { return id == "a2" })
	lists("with an entry without a record")
	// Customers of other orgs are not read.
	if err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketCustomers).Put([]byte("b3"), []byte("?")) }); err != nil {
		t.Fatal(err)
	}
	lists("beside a customer that cannot be read")
}
