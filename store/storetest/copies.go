package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/grantd/grantd/store"
)

func copyChecks() []check {
	return []check{
		{"ANewStoreHasNothing", copyNothing},
		{"EverythingComesBack", copyEverything},
		{"LoadReplaces", copyReplaces},
		{"LoadRefusesWhatCannotBeDecoded", copyUnreadable},
		{"LoadLeavesOutWhatHasExpired", copyExpired},
		{"PagesHaveEverything", copyPages},
		{"TheAuditIsInTheOrderOfBothStreams", copyAudit},
		{"EventsKeepTheirAge", copyAuditAge},
		{"PositionsAreNeverUsedAgain", copyPositions},
		{"NobodyServes", func(t *testing.T, o Opened) {
			same(t, "serving", must[bool](t)(o.Store.Serving(within(t))), false)
		}},
	}
}

// dump returns the items of the section, sorted unless they are events.
func dump(t *testing.T, s store.Store, section store.Section, limit int) (all []store.Item) {
	t.Helper()
	for cursor := ""; ; {
		items, next, err := s.Dump(within(t), section, cursor, limit)
		ok(t, err)
		all = append(all, items...)
		if cursor = next; cursor == "" {
			break
		}
	}
	if section != store.SectionAudit {
		slices.SortFunc(all, func(a, b store.Item) int { return strings.Compare(a.Key, b.Key) })
		all = slices.CompactFunc(all, func(a, b store.Item) bool { return a.Key == b.Key })
	}
	return all
}

func dumpAll(t *testing.T, s store.Store, limit int) map[store.Section][]store.Item {
	t.Helper()
	all := map[store.Section][]store.Item{}
	for _, section := range store.Sections() {
		if items := dump(t, s, section, limit); len(items) > 0 {
			all[section] = items
		}
	}
	return all
}

func loadAll(t *testing.T, s store.Store, all map[store.Section][]store.Item) {
	t.Helper()
	for _, section := range store.Sections() {
		ok(t, s.Load(within(t), all[section]...))
	}
}

// sameItems compares items, those of the audit without their keys.
func sameItems(t *testing.T, got, want map[store.Section][]store.Item) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.FilterPath(func(p cmp.Path) bool {
		if len(p) < 4 || p.Last().String() != ".Key" {
			return false
		}
		section, is := p.Index(1).(cmp.MapIndex)
		return is && section.Key().String() == string(store.SectionAudit)
	}, cmp.Ignore())); d != "" {
		t.Fatalf("items (-want +got):\n%s", d)
	}
}

// fill puts something of everything into the store.
func fill(t *testing.T, o Opened) {
	t.Helper()
	ctx, s, now := within(t), o.Store, o.Now()
	ok(t, s.Stamp(ctx, ours))
	_, err := s.EnsureTokenKey(ctx, tokenKey(o, 1))
	ok(t, err)
	ok(t, s.SigningKeys().Create(ctx, fullSigningKeys(now, store.SigningKeysID)))
	ok(t, s.Clients().Create(ctx, fullClient(now, "a")))
	ok(t, s.Clients().Create(ctx, plainClient(now, "b")))
	ok(t, s.Orgs().Create(ctx, fullOrg(now, "h5D8B5gyHtk=")))
	ok(t, s.Customers().Create(ctx, fullCustomer(now, "10001")))
	ok(t, s.Partners().Create(ctx, fullPartner(now, "acme")))
	ok(t, s.PartnerTokens().Create(ctx, plainPartnerToken(now, "Ab3dEf7h")))
	ok(t, s.APIKeys().Create(ctx, fullAPIKey(now, "Kk3dEf7h")))
	ok(t, s.Grants().Create(ctx, fullGrant(now, "10001")))
	ok(t, s.AddUses(ctx, []store.Use{
		use("a", "Ab3dEf7h", 3, now, "192.0.2.1"), use("b", "Zz3dEf7h", 1, now, ""),
		use("partner:acme", "Ab3dEf7h", 1<<40, now, "2001:db8::1"), use("key:Kk3dEf7h", "Kk3dEf7h", 2, now, "192.0.2.7"),
	}))
	ok(t, s.AddNetworks(ctx, "a", "n2", "n1"))
	_, _, err = s.TakeGuess(ctx, "10001", wide)
	ok(t, err)
	ok(t, s.PutChallenge(ctx, digest("challenge"), store.Challenge{Proof: digest("proof"), Tries: 3, ExpiresAt: now.Add(10 * time.Minute)}))
	ok(t, s.PutToken(ctx, digest("plain"), plainToken(now, time.Hour)))
	ok(t, s.PutToken(ctx, digest("full"), fullToken(now, 3*time.Hour)))
	ok(t, s.AppendAudit(ctx, event(now, "client:a"), traffic(event(now, "client:b")), event(now, "client:c")))
	_, err = s.AppendFeed(ctx, void(now, "a"))
	ok(t, err)
}

func copyNothing(t *testing.T, o Opened) {
	sameItems(t, dumpAll(t, o.Store, 10), nil)
	_, _, err := o.Store.Dump(within(t), "nothing", "", 10)
	if err == nil {
		t.Error("there is no error for an unknown section")
	}
	ok(t, o.Store.Load(within(t)))
	ok(t, o.Store.Clear(within(t)))
}

func copyEverything(t *testing.T, o Opened) {
	fill(t, o)
	ok(t, o.Store.Inspect(within(t), func(f store.Finding) { t.Errorf("%s %s: %s", f.Section, f.Key, f.Problem) }))
	all := dumpAll(t, o.Store, 2)
	for _, section := range store.Sections() {
		if len(all[section]) == 0 {
			t.Errorf("%s: nothing was dumped", section)
		}
		for _, i := range all[section] {
			ok(t, i.Check())
		}
	}
	typed := snapshot(t, o)
	ok(t, o.Store.Clear(within(t)))
	sameItems(t, dumpAll(t, o.Store, 10), nil)
	_, err := o.Store.ReadStamp(within(t))
	wants(t, "stamp after Clear", err, store.ErrNotFound)
	_, err = o.Store.GetToken(within(t), digest("plain"))
	wants(t, "token after Clear", err, store.ErrNotFound)
	same(t, "feed after Clear", len(must[[]store.Entry](t)(o.Store.ReadFeed(within(t), store.Position{}, 0))), 0)

	loadAll(t, o.Store, all)
	ok(t, o.Store.Stamp(within(t), ours))
	sameItems(t, dumpAll(t, o.Store, 10), all)
	o.Store = o.Reopen()
	same(t, "what other methods read", snapshot(t, o), typed)
	wants(t, "a wrong proof", o.Store.TryChallenge(within(t), digest("challenge"), digest("wrong")), store.ErrWrong)
	ok(t, o.Store.TryChallenge(within(t), digest("challenge"), digest("proof")))
	client := must[store.Client](t)(o.Store.Clients().Get(within(t), "a"))
	client.Name = "changed"
	ok(t, o.Store.Clients().Update(within(t), client))
}

// snapshot returns what the typed methods read of what fill wrote.
func snapshot(t *testing.T, o Opened) map[string]any {
	t.Helper()
	ctx, s, page := within(t), o.Store, store.Page{Limit: 10}
	events := must[[]store.AuditEvent](t)(s.ListAudit(ctx, "", 10))
	for i := range events {
		events[i].ID = ""
	}
	return map[string]any{
		"clients":        must[[]store.Client](t)(s.Clients().List(ctx, page)),
		"orgs":           must[[]store.Org](t)(s.Orgs().List(ctx, page)),
		"customers":      must[[]store.Customer](t)(s.Customers().List(ctx, page)),
		"partners":       must[[]store.Partner](t)(s.Partners().List(ctx, page)),
		"partner tokens": must[[]store.PartnerTokenOwner](t)(s.PartnerTokens().List(ctx, page)),
		"API keys":       must[[]store.APIKey](t)(s.APIKeys().List(ctx, page)),
		"API keys of":    must[[]store.APIKey](t)(s.APIKeys().List(ctx, store.Page{Group: "h5D8B5gyHtk=", Limit: 10})),
		"uses of a key":  must[map[string]store.Use](t)(s.ListUses(ctx, "key:Kk3dEf7h")),
		"grants":         must[[]store.Grant](t)(s.Grants().List(ctx, page)),
		"uses of a":      must[map[string]store.Use](t)(s.ListUses(ctx, "client:a")),
		"uses of acme":   must[map[string]store.Use](t)(s.ListUses(ctx, "partner:acme")),
		"networks":       must[[]string](t)(s.ListNetworks(ctx, "a")),
		"guesses":        must[store.Guesses](t)(s.GetGuesses(ctx, "10001", 24*time.Hour)),
		"plain token":    must[store.Token](t)(s.GetToken(ctx, digest("plain"))),
		"full token":     must[store.Token](t)(s.GetToken(ctx, digest("full"))),
		"keys":           must[[]store.TokenKey](t)(s.EnsureTokenKey(ctx, tokenKey(o, 9))),
		"audit":          events,
	}
}

func copyReplaces(t *testing.T, o Opened) {
	fill(t, o)
	all := dumpAll(t, o.Store, 10)
	delete(all, store.SectionAudit)
	token := plainToken(o.Now(), 5*time.Hour)
	all[store.SectionTokens][0] = store.TokenItem(digest("plain"), &token)
	all[store.SectionTokens] = all[store.SectionTokens][:1]
	loadAll(t, o.Store, all)
	loadAll(t, o.Store, all)
	same(t, "token", must[store.Token](t)(o.Store.GetToken(within(t), digest("plain"))), token)
	same(t, "tokens", len(dump(t, o.Store, store.SectionTokens, 10)), 2)
	same(t, "clients", len(dump(t, o.Store, store.SectionClients, 10)), 2)
	same(t, "keys", len(dump(t, o.Store, store.SectionTokenKeys, 10)), 1)
}

func copyUnreadable(t *testing.T, o Opened) {
	fill(t, o)
	all := dumpAll(t, o.Store, 10)
	for _, section := range store.Sections() {
		i := all[section][0]
		i.Form = []byte(`{"v":99}`)
		wants(t, "form of "+string(section), o.Store.Load(within(t), i), store.ErrUnknownRecord)
	}
	other := all[store.SectionClients][0]
	other.Key = "other"
	wants(t, "a record under another id", o.Store.Load(within(t), other), store.ErrUnknownRecord)
	sameItems(t, dumpAll(t, o.Store, 10), all)
}

func copyExpired(t *testing.T, o Opened) {
	token := plainToken(o.Now().Add(-2*time.Hour), time.Hour)
	challenge := must[store.Item](t)(store.ChallengeItem(digest("c"), store.Challenge{Tries: 1, ExpiresAt: o.Now().Add(-time.Second)}))
	ok(t, o.Store.Load(within(t), store.TokenItem(digest("a"), &token), challenge))
	_, err := o.Store.GetToken(within(t), digest("a"))
	wants(t, "an expired token", err, store.ErrNotFound)
	wants(t, "an expired challenge", o.Store.TryChallenge(within(t), digest("c"), store.Digest{}), store.ErrNotFound)
}

func copyPages(t *testing.T, o Opened) {
	const n = 57
	var items []store.Item
	for i := range n {
		token := plainToken(o.Now(), time.Duration(1+i%5)*time.Hour)
		items = append(items, store.TokenItem(digest(i), &token))
		ok(t, o.Store.Clients().Create(within(t), plainClient(o.Now(), fmt.Sprintf("c%02d", i))))
	}
	ok(t, o.Store.Load(within(t), items...))
	ok(t, o.Store.AppendAudit(within(t), events(o.Now(), n)...))
	for _, section := range []store.Section{store.SectionTokens, store.SectionClients, store.SectionAudit} {
		for _, limit := range []int{2, 10, n, n + 1} {
			same(t, fmt.Sprintf("%s in pages of %d", section, limit), len(dump(t, o.Store, section, limit)), n)
		}
	}
}

func copyPositions(t *testing.T, o Opened) {
	ctx := within(t)
	first := must[store.Position](t)(o.Store.AppendFeed(ctx, voids(o.Now(), 3)...))
	ok(t, o.Store.Clear(ctx))
	second := must[store.Position](t)(o.Store.AppendFeed(ctx, void(o.Now(), "a")))
	if !second.After(first) {
		t.Errorf("after Clear, an entry has position %s, which is not after %s", second, first)
	}
	far := store.Position{Time: second.Time, Seq: second.Seq + 1<<32}
	ok(t, o.Store.AdvanceFeed(ctx, far))
	ok(t, o.Store.AdvanceFeed(ctx, first))
	third := must[store.Position](t)(o.Store.AppendFeed(ctx, void(o.Now(), "b")))
	if !third.After(far) {
		t.Errorf("after AdvanceFeed to %s, an entry has position %s", far, third)
	}
}
