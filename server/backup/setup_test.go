package backup_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/grantd/grantd/server/backup"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/parallel"
)

func TestMain(m *testing.M) { os.Exit(parallel.Main(m, 6)) }

const patience = 20 * time.Second

var options = backup.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler), MadeBy: "test", Actor: "uid:0"}

var stamp = store.Stamp{Environment: "live", Issuer: "https://auth.example.com", Format: store.Format}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: error %v, want one that wraps %q", what, err, want)
	}
}

// newStore makes an empty store of a kind.
type newStore func(t *testing.T) store.Store

func onFile(t *testing.T) store.Store {
	s, err := embedded.Open(embedded.Options{Path: t.TempDir(), AuditRetention: 24 * time.Hour, AuditMaxEvents: 1000})
	ok(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func onRedis(t *testing.T) store.Store {
	s, err := redisstore.Open(t.Context(), redisstore.Options{
		Addresses: []string{redistest.Start(t).Addr}, KeyPrefix: "grantd:", AuditMaxEvents: 1000,
		DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience,
	})
	ok(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

var kinds = map[string]newStore{"embedded": onFile, "redis": onRedis}

// eachPair runs the test for each kind of store that is copied from, with each kind
// of store that is copied to.
func eachPair(t *testing.T, test func(t *testing.T, from, to newStore)) {
	t.Parallel()
	for a, from := range kinds {
		for b, to := range kinds {
			t.Run(a+" to "+b, func(t *testing.T) {
				t.Parallel()
				test(t, from, to)
			})
		}
	}
}

func digest(n int) store.Digest { return sha256.Sum256(fmt.Append(nil, n)) }

// now is a time as records keep it.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

func head() store.Head { return store.Head{CreatedAt: now(), UpdatedAt: now(), Version: 1} }

// token returns a token of the client at the present position of the feed.
func token(t *testing.T, s store.Store, client string) store.Token {
	return store.Token{
		Use: store.UseClient, ClientID: client, SecretID: "Ab3dEf7h", Scopes: "users:read", IssuedAt: now(), ExpiresAt: now().Add(time.Hour),
		Position: newest(t, s),
	}
}

// privateKey is what no file may have.
const privateKey = "the private half"

// newest returns the position of the newest entry.
func newest(t *testing.T, s store.Store) (p store.Position) {
	t.Helper()
	entries, err := s.ReadFeed(t.Context(), store.Position{}, 0)
	ok(t, err)
	for _, e := range entries {
		p = e.Position
	}
	return p
}

func void(t *testing.T, s store.Store, key string) store.Position {
	t.Helper()
	p, err := s.AppendFeed(t.Context(), store.Entry{Kind: store.EntryVoid, Key: key, By: "uid:7", At: time.Now()})
	ok(t, err)
	return p
}

// fill makes a store that a grantd has used:
//
//	clients a and b, an org, a customer with wrong codes, a grant
//	partner acme: tokens P1 (live), P2 (void by itself), P3 (from before a void of
//	all partner tokens), P4 (after it)
//	tokens 1 (live), 2 (its client b is void), 3 (revoked alone), 4 (made from 3),
//	5 (live, after all voids)
func fill(t *testing.T, s store.Store) {
	t.Helper()
	ctx := t.Context()
	ok(t, s.Stamp(ctx, stamp))
	_, err := s.EnsureTokenKey(ctx, store.TokenKey{ID: 1, Key: bytes.Repeat([]byte{7}, 32), CreatedAt: now()})
	ok(t, err)
	lineage, err := s.FeedLineage(ctx)
	ok(t, err)
	ok(t, s.WitnessFeed(ctx, lineage.Current))
	void(t, s, store.PrincipalAll)
	keys := store.SigningKeys{ID: store.SigningKeysID, Keys: []store.SigningKey{{ID: "k", Private: []byte(privateKey), CreatedAt: now(), SignsSince: now()}}, Head: head()}
	ok(t, s.SigningKeys().Create(ctx, keys))
	form, err := store.SigningKeysKind.Marshal(keys)
	ok(t, err)
	_, err = s.AppendFeed(ctx, store.Entry{Kind: store.EntryChange, Key: store.PrincipalSigningKeys(keys.ID), By: "system", At: now(), Version: 1, Form: string(form)})
	ok(t, err)
	ok(t, s.Orgs().Create(ctx, store.Org{ID: "bank", Name: "Bank <é>", Incarnation: 3, Head: head()}))
	unannounced := head()
	unannounced.Unannounced, unannounced.UnannouncedSince = true, newest(t, s)
	ok(t, s.Clients().Create(ctx, store.Client{ID: "a", Scopes: []string{"users:read"}, Secrets: []store.Secret{{ID: "Ab3dEf7h", Hash: "sha256$x", CreatedAt: now()}}, Head: head()}))
	ok(t, s.Clients().Create(ctx, store.Client{ID: "b", Head: unannounced}))
	ok(t, s.Customers().Create(ctx, store.Customer{ID: "10001", OrgID: "bank", Type: store.Individual, Phone: "+15555550136", Head: head()}))
	early := newest(t, s)
	late := void(t, s, store.PrincipalAllPartnerTokens)
	partnerToken := func(id string, at store.Position) store.PartnerToken {
		return store.PartnerToken{ID: id, Name: id, Hash: "sha256$" + id, CreatedBy: "uid:0", CreatedAt: now(), ExpiresAt: now().Add(time.Hour), Position: at}
	}
	ok(t, s.Partners().Create(ctx, store.Partner{ID: "acme", Scopes: []string{"cards"}, Incarnation: 4, Head: head(), Tokens: []store.PartnerToken{
		partnerToken("P1", late), partnerToken("P2", late), partnerToken("P3", early), partnerToken("P4", late),
	}}))
	void(t, s, store.PrincipalPartnerToken("P2"))
	for _, id := range []string{"P1", "P2", "P3", "P4"} {
		ok(t, s.PartnerTokens().Create(ctx, store.PartnerTokenOwner{ID: id, PartnerID: "acme", Version: 1}))
	}
	ok(t, s.Grants().Create(ctx, store.Grant{PartnerID: "acme", OrgID: "bank", Scopes: []string{"cards"}, Head: head()}))
	ok(t, s.AddUses(ctx, []store.Use{{Owner: "client:a", ID: "Ab3dEf7h", Count: 3, LastAt: now(), LastIP: "192.0.2.1"}, {Owner: "partner:acme", ID: "P1", Count: 1, LastAt: now()}}))
	ok(t, s.AddNetworks(ctx, "a", "n1", "n2"))
	_, _, err = s.TakeGuess(ctx, "10001", store.GuessBounds{Window: 24 * time.Hour, Today: 9, InRow: 9})
	ok(t, err)
	ok(t, s.PutChallenge(ctx, digest(1), store.Challenge{Proof: digest(2), Tries: 3, ExpiresAt: now().Add(10 * time.Minute)}))
	ok(t, s.PutToken(ctx, digest(1), token(t, s, "a")))
	ok(t, s.PutToken(ctx, digest(2), token(t, s, "b")))
	ok(t, s.PutToken(ctx, digest(3), token(t, s, "a")))
	child := token(t, s, "a")
	child.Parents = []string{store.PrincipalToken(digest(3))[len("token:"):]}
	ok(t, s.PutToken(ctx, digest(4), child))
	void(t, s, store.PrincipalClient("b"))
	void(t, s, store.PrincipalToken(digest(3)))
	ok(t, s.PutToken(ctx, digest(5), token(t, s, "a")))
	var events []store.Item
	for i := range 9 {
		events = append(events, event(t, i))
	}
	ok(t, s.Load(ctx, events...))
}

// event returns an event that was appended i seconds ago.
func event(t *testing.T, i int) store.Item {
	t.Helper()
	at := time.Now().Add(time.Duration(i-100) * time.Second)
	form, err := store.MarshalAudit(store.AuditEvent{Time: at.UTC(), Action: "client.create", Actor: "uid:0", Target: fmt.Sprint("client:", i), Outcome: "done"})
	ok(t, err)
	section := store.SectionAudit
	if i%3 == 0 {
		section = store.SectionAuditTraffic
	}
	return store.Item{Section: section, Key: store.Position{Time: uint64(at.UnixMilli())}.String(), Form: form}
}

// follow returns a copy of the store's feed.
func follow(t *testing.T, s store.Store) *feed.Feed {
	t.Helper()
	f, _, err := feed.Read(t.Context(), feed.Options{Store: s, Now: time.Now, Log: options.Log})
	ok(t, err)
	return f
}

// alive returns which of the tokens 1 to 5 are in the store and not void.
func alive(t *testing.T, s store.Store) (list []int) {
	t.Helper()
	f := follow(t, s)
	for n := range 6 {
		found, err := s.GetToken(t.Context(), digest(n))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		ok(t, err)
		if _, void := f.Voided(digest(n), &found); !void {
			list = append(list, n)
		}
	}
	return list
}

// items returns the items of a section without events' keys.
func items(t *testing.T, s store.Store, section store.Section) (all []store.Item) {
	t.Helper()
	for cursor := ""; ; {
		list, next, err := s.Dump(t.Context(), section, cursor, 100)
		ok(t, err)
		all = append(all, list...)
		if cursor = next; cursor == "" {
			return all
		}
	}
}

func export(t *testing.T, s store.Store) []byte {
	t.Helper()
	var b bytes.Buffer
	_, err := backup.Export(t.Context(), s, &b, options)
	ok(t, err)
	return b.Bytes()
}
