package redisstore_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest/redistest"
)

const groupsKey = "grantd:customers_by_org"

// TestRedisWithoutIndexOfGroups: in a Redis that an older grantd wrote, every
// customer of an org is listed, before IndexGroups and after it.
func TestRedisWithoutIndexOfGroups(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	ctx := within(t)
	var want []string
	for _, id := range []string{"1", "2", "3", "4"} {
		for _, org := range []string{"a", "b"} {
			if err := s.Customers().Create(ctx, store.Customer{ID: org + id, OrgID: org}); err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, "a"+id)
	}
	if err := r.Del(ctx, groupsKey).Err(); err != nil {
		t.Fatal(err)
	}
	lists := func(when string, limit int) {
		t.Helper()
		list, err := s.Customers().List(ctx, store.Page{Group: "a", Limit: limit})
		ids := make([]string, len(list))
		for i := range list {
			ids[i] = list[i].ID
		}
		if err != nil || !slices.Equal(ids, want[:min(limit, len(want))]) {
			t.Errorf("%s: %v, %v; want %v", when, ids, err, want)
		}
	}
	index := func(want int) {
		t.Helper()
		if n, err := s.IndexGroups(ctx); n != want || err != nil {
			t.Errorf("%d added, %v; want %d", n, err, want)
		}
	}
	lists("before", 10)
	if err := s.Customers().Create(ctx, store.Customer{ID: "a5", OrgID: "a"}); err != nil {
		t.Fatal(err)
	}
	want = append(want, "a5")
	lists("with an entry", 10)
	index(8)
	lists("after", 10)
	index(0)
	// An older grantd that runs beside has deleted one, and created another.
	if err := r.Del(ctx, "grantd:u:a2").Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.ZRem(ctx, groupsKey, store.GroupMember("a", "a3")).Err(); err != nil {
		t.Fatal(err)
	}
	index(1)
	want = slices.DeleteFunc(want, func(id string) bool { return id == "a2" })
	lists("with an entry without a record", 10)
	lists("with an entry without a record, in a short page", 2)
	if err := r.ZAdd(ctx, groupsKey, redis.Z{Member: store.GroupMember("a", "b1")}).Err(); err != nil {
		t.Fatal(err)
	}
	lists("with an entry of another org's customer", 10)
}

// TestListOfGroupReadsItsRecordsOnly counts the records that Redis reads.
func TestListOfGroupReadsItsRecordsOnly(t *testing.T) {
	server := redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	ctx := within(t)
	for i := range 60 {
		c := store.Customer{ID: fmt.Sprintf("%02d", i), OrgID: "many"}
		if i%20 == 0 {
			c.OrgID = "few"
		}
		if err := s.Customers().Create(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.IndexGroups(ctx); err != nil {
		t.Fatal(err)
	}
	calls := counted(t, r, func() {
		if list, err := s.Customers().List(ctx, store.Page{Group: "few", Limit: 50}); len(list) != 3 || err != nil {
			t.Errorf("%d customers, %v", len(list), err)
		}
	})
	if calls["hget"] != 3 || calls["zrangebylex"] != 1 {
		t.Errorf("commands %v, want 3 hget and 1 zrangebylex", calls)
	}
}
