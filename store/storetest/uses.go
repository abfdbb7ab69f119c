package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

func useChecks() []check {
	return []check{
		{"NeverUsedIsAbsent", useAbsent},
		{"CountsAddUpAndTheLatestStays", useLatest},
		{"ClientsAreSeparate", useSeparate},
		{"UsesAtOnceLoseNothing", useAtOnce},
		{"DeleteOfTheClientRemovesThem", useDelete},
		{"UsesOfADeletedClientAreNoError", useGone},
		{"UsesOutliveReopening", useReopen},
		{"PartnersHaveUsesToo", usePartner},
		{"SeveralOwnersAtOnce", useSeveral},
		{"TheNewestNetworksStay", useNetworks},
		{"NetworksGoWithTheClient", useNetworksGone},
	}
}

func createClients(t *testing.T, o Opened, ids ...string) {
	t.Helper()
	for _, id := range ids {
		ok(t, o.Store.Clients().Create(within(t), plainClient(o.Now(), id)))
	}
}

func usesOf(t *testing.T, s store.Store, client string) map[string]store.Use {
	t.Helper()
	return must[map[string]store.Use](t)(s.ListUses(within(t), owner(client)))
}

// owner returns the principal key of a client. The key of another owner stays
// as it is.
func owner(client string) string {
	if kind, _ := store.OwnerOf(client); kind != "" {
		return client
	}
	return store.PrincipalClient(client)
}

func use(client, secret string, count int64, at time.Time, ip string) store.Use {
	return store.Use{Owner: owner(client), ID: secret, Count: count, LastAt: seconds(at), LastIP: ip}
}

func useAbsent(t *testing.T, o Opened) {
	createClients(t, o, "a")
	same(t, "uses", len(usesOf(t, o.Store, "a")), 0)
	same(t, "uses of an unknown client", len(usesOf(t, o.Store, "b")), 0)
	ok(t, o.Store.AddUses(within(t), nil))
}

func useLatest(t *testing.T, o Opened) {
	createClients(t, o, "a")
	now := o.Now()
	ok(t, o.Store.AddUses(within(t), []store.Use{
		use("a", "s1", 2, now, "192.0.2.1"),
		use("a", "s2", 1, now, "192.0.2.2"),
		use("a", "s1", 3, now.Add(time.Minute), "2001:db8::1"),
	}))
	// A replica may report late: its count matters, its time does not.
	ok(t, o.Store.AddUses(within(t), []store.Use{use("a", "s1", 10, now.Add(time.Second), "192.0.2.9")}))
	ok(t, o.Store.AddUses(within(t), []store.Use{use("a", "s2", 4, now.Add(time.Hour), "192.0.2.4")}))
	same(t, "uses", usesOf(t, o.Store, "a"), map[string]store.Use{
		"s1": use("a", "s1", 15, now.Add(time.Minute), "2001:db8::1"),
		"s2": use("a", "s2", 5, now.Add(time.Hour), "192.0.2.4"),
	})
}

func useSeparate(t *testing.T, o Opened) {
	ids := []string{"a", "ab", "a.b", "a~"}
	createClients(t, o, ids...)
	var uses []store.Use
	for i, id := range ids {
		uses = append(uses, use(id, "s", int64(i+1), o.Now(), "192.0.2.1"))
	}
	ok(t, o.Store.AddUses(within(t), uses))
	for i, id := range ids {
		same(t, id, usesOf(t, o.Store, id), map[string]store.Use{"s": uses[i]})
	}
}

func useAtOnce(t *testing.T, o Opened) {
	createClients(t, o, "a")
	ctx, start := within(t), o.Now()
	concurrently(20, func(i int) {
		err := o.Store.AddUses(ctx, []store.Use{
			use("a", "s", 1, start.Add(time.Duration(i)*time.Second), "192.0.2.1"),
			use("a", "s", 1, start, "192.0.2.2"),
		})
		if err != nil {
			t.Error(err)
		}
	})
	same(t, "uses", usesOf(t, o.Store, "a"), map[string]store.Use{
		"s": use("a", "s", 40, start.Add(19*time.Second), "192.0.2.1"),
	})
}

func useDelete(t *testing.T, o Opened) {
	createClients(t, o, "a", "ab")
	kept := use("ab", "s", 1, o.Now(), "192.0.2.1")
	ok(t, o.Store.AddUses(within(t), []store.Use{
		use("a", "s1", 1, o.Now(), "192.0.2.1"), use("a", "s2", 1, o.Now(), "192.0.2.1"), kept,
	}))
	ok(t, o.Store.Clients().Delete(within(t), "a", 1))
	same(t, "uses of the deleted client", len(usesOf(t, o.Store, "a")), 0)
	createClients(t, o, "a")
	same(t, "uses of a client created again", len(usesOf(t, o.Store, "a")), 0)
	same(t, "another client's", usesOf(t, o.Store, "ab"), map[string]store.Use{"s": kept})
}

func useGone(t *testing.T, o Opened) {
	createClients(t, o, "a")
	here := use("a", "s", 1, o.Now(), "192.0.2.1")
	ok(t, o.Store.AddUses(within(t), []store.Use{use("gone", "s", 1, o.Now(), "192.0.2.1"), here}))
	same(t, "uses", usesOf(t, o.Store, "a"), map[string]store.Use{"s": here})
}

func useReopen(t *testing.T, o Opened) {
	createClients(t, o, "a")
	want := use("a", "s", 3, o.Now(), "192.0.2.1")
	ok(t, o.Store.AddUses(within(t), []store.Use{want}))
	same(t, "uses", usesOf(t, o.Reopen(), "a"), map[string]store.Use{"s": want})
}

// usePartner: a partner's uses are separate from those of a client with the same
// id, and are deleted with the partner.
func usePartner(t *testing.T, o Opened) {
	createClients(t, o, "a")
	partnerRecords.put(t, o, "a")
	ofClient, ofPartner := use("a", "s", 1, o.Now(), "192.0.2.1"), use("partner:a", "s", 2, o.Now(), "192.0.2.2")
	ok(t, o.Store.AddUses(within(t), []store.Use{ofClient, ofPartner, use("partner:gone", "s", 1, o.Now(), ""), use("org:a", "s", 1, o.Now(), "")}))
	same(t, "the client's", usesOf(t, o.Store, "a"), map[string]store.Use{"s": ofClient})
	same(t, "the partner's", usesOf(t, o.Store, "partner:a"), map[string]store.Use{"s": ofPartner})
	same(t, "an org's", len(must[map[string]store.Use](t)(o.Store.ListUses(within(t), "org:a"))), 0)
	ok(t, o.Store.Partners().Delete(within(t), "a", 1))
	same(t, "after the partner is gone", len(usesOf(t, o.Store, "partner:a")), 0)
	apiKeyRecords.put(t, o, "a")
	ofKey := use("key:a", "a", 3, o.Now(), "192.0.2.3")
	ok(t, o.Store.AddUses(within(t), []store.Use{ofKey}))
	same(t, "the key's", usesOf(t, o.Store, "key:a"), map[string]store.Use{"a": ofKey})
	ok(t, o.Store.APIKeys().Delete(within(t), "a", 1))
	same(t, "after the key is gone", len(usesOf(t, o.Store, "key:a")), 0)
	same(t, "the client's then", usesOf(t, o.Store, "a"), map[string]store.Use{"s": ofClient})
}

// useSeveral: the uses of several owners come together, and owners that are gone or
// were never used have none.
func useSeveral(t *testing.T, o Opened) {
	createClients(t, o, "a", "ab", "b", "never")
	partnerRecords.put(t, o, "a")
	want := []store.Use{
		use("a", "s1", 1, o.Now(), "192.0.2.1"), use("a", "s2", 2, o.Now(), "192.0.2.2"),
		use("ab", "s1", 3, o.Now(), "192.0.2.3"), use("partner:a", "t1", 4, o.Now(), "192.0.2.4"),
	}
	ok(t, o.Store.AddUses(within(t), append(want, use("b", "s1", 5, o.Now(), "192.0.2.5"))))
	got := must[[]store.Use](t)(o.Store.ListUsesOf(within(t), "client:a", "client:ab", "client:never", "client:gone", "partner:a", "org:a"))
	slices.SortFunc(got, func(x, y store.Use) int { return cmp.Compare(x.Count, y.Count) })
	same(t, "uses of several owners", got, want)
	same(t, "uses of nobody", len(must[[]store.Use](t)(o.Store.ListUsesOf(within(t)))), 0)
}

func networksOf(t *testing.T, s store.Store, client string) []string {
	t.Helper()
	return must[[]string](t)(s.ListNetworks(within(t), client))
}

func useNetworks(t *testing.T, o Opened) {
	createClients(t, o, "a", "b")
	same(t, "networks of a new client", len(networksOf(t, o.Store, "a")), 0)
	ok(t, o.Store.AddNetworks(within(t), "a", "n1", "n2", "n3"))
	ok(t, o.Store.AddNetworks(within(t), "a", "n4", "n1", "n4"))
	same(t, "networks", networksOf(t, o.Store, "a"), []string{"n2", "n3", "n1", "n4"})
	same(t, "networks of another client", len(networksOf(t, o.Store, "b")), 0)
	var many []string
	for i := range store.MaxNetworks + 10 {
		many = append(many, fmt.Sprint("m", i))
	}
	ok(t, o.Store.AddNetworks(within(t), "a", many[:40]...))
	ok(t, o.Store.AddNetworks(within(t), "a", many[40:]...))
	same(t, "many networks", networksOf(t, o.Store, "a"), many[10:])
	// Neither uses nor a change of the record are affected.
	ok(t, o.Store.AddUses(within(t), []store.Use{use("a", "s", 1, o.Now(), "192.0.2.1")}))
	same(t, "uses", len(usesOf(t, o.Store, "a")), 1)
	c := must[store.Client](t)(o.Store.Clients().Get(within(t), "a"))
	ok(t, o.Store.Clients().Update(within(t), c))
	same(t, "networks after a change", networksOf(t, o.Store, "a"), many[10:])
}

func useNetworksGone(t *testing.T, o Opened) {
	createClients(t, o, "a")
	ok(t, o.Store.AddNetworks(within(t), "a", "n1"))
	ok(t, o.Store.AddNetworks(within(t), "gone", "n1"))
	same(t, "networks of nobody", len(networksOf(t, o.Store, "gone")), 0)
	c := must[store.Client](t)(o.Store.Clients().Get(within(t), "a"))
	ok(t, o.Store.Clients().Delete(within(t), "a", c.Version))
	createClients(t, o, "a", "gone")
	same(t, "networks of a later client", len(networksOf(t, o.Store, "a")), 0)
	same(t, "networks of a client that is made late", len(networksOf(t, o.Store, "gone")), 0)
}
