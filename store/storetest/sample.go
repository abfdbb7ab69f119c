package storetest

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/grantd/grantd/store"
)

// digest returns a different digest for each name.
func digest(name any) store.Digest { return sha256.Sum256(fmt.Append(nil, name)) }

// seconds returns now without its fraction, as token records keep it.
func seconds(now time.Time) time.Time { return now.UTC().Truncate(time.Second) }

// plainToken returns a token as most clients get it, issued now with a life of
// ttl.
func plainToken(now time.Time, ttl time.Duration) store.Token {
	return store.Token{
		Use:       store.UseClient,
		ClientID:  "gc_0123456789abcdefghijkl",
		SecretID:  "Ab3dEf7h",
		Scopes:    "users:read users:write",
		IssuedAt:  seconds(now),
		ExpiresAt: seconds(now).Add(ttl),
		Position:  store.Position{Time: 1753488000123, Seq: 4},
	}
}

// fullToken returns a token with every field set.
func fullToken(now time.Time, ttl time.Duration) store.Token {
	t := plainToken(now, ttl)
	t.Use = store.UseOnBehalf
	t.OrgID, t.CustomerID, t.PartnerID, t.PartnerTID, t.KeyID = "h5D8B5gyHtk=", "10001", "acme", "Zz9", "Kk9"
	t.Audience = []string{"https://a.example", "https://b.example"}
	t.SourceIPs = []string{"192.0.2.0/24", "2001:db8::/32"}
	t.Endpoints = []string{"GET /cards", "HEAD /cards/*"}
	t.Resources = []store.Resource{{Type: "card", IDs: []string{"12", "13"}}, {Type: "account", IDs: []string{"h5D8B5gyHtk="}}}
	t.AuthorizedUser = "20"
	t.Upgradable, t.AuthTime, t.AMR = "cards-write payments-write", seconds(now), []string{"otp", "sms"}
	t.Parents = []string{strings.TrimPrefix(store.PrincipalToken(digest("parent")), "token:")}
	t.Revoked = &store.Revocation{At: seconds(now), By: "uid:0"}
	return t
}

// plainHead returns the head of a new record.
func plainHead(now time.Time) store.Head {
	return store.Head{CreatedAt: seconds(now), UpdatedAt: seconds(now), Version: 1}
}

// fullHead returns a head with every field set.
func fullHead(now time.Time) store.Head {
	h := plainHead(now)
	end := seconds(now).Add(time.Hour)
	h.DeactivatedAt, h.Unannounced, h.UnannouncedSince = &end, true, store.Position{Time: 1753488000123, Seq: 4}
	h.HeldBack, h.Confirmed = true, 1753488000456
	return h
}

// plainClient returns a client with only the required fields.
func plainClient(now time.Time, id string) store.Client {
	return store.Client{ID: id, Head: plainHead(now)}
}

// fullClient returns a client with every field set.
func fullClient(now time.Time, id string) store.Client {
	c := plainClient(now, id)
	end := seconds(now).Add(time.Hour)
	c.Name, c.OrgID, c.Resource = "Payments <é>", "h5D8B5gyHtk=", "https://payments.example"
	c.OrgIncarnation = 1 << 32
	c.Scopes, c.DefaultScopes = []string{"users:read", "users:write"}, []string{"users:read"}
	c.TokenTTL = 90 * time.Minute
	c.AuthMethods = []string{"client_secret_basic"}
	c.SourceIPs, c.Resources = []string{"10.0.0.0/8"}, []string{"https://a.example"}
	c.BindSourceIP = true
	c.TokenUses = []store.TokenUse{store.UseClient, store.UsePartner}
	c.Enforces = []string{"source_ip"}
	c.IssueLimit = store.IssueLimit{Count: 600, Per: time.Minute}
	c.Secrets = []store.Secret{
		{ID: "Ab3dEf7h", Hash: "sha256$abc", CreatedAt: seconds(now), ExpiresAt: &end, FirstEnd: &end, Ended: true, EndedAt: &end, EndedBy: "uid:0"},
		{
			ID: "Zz3dEf7h", Hash: "$2b$12$abcdefghijklmnopqrstuv", CreatedAt: seconds(now),
			Shortened: []store.ShortenedSecret{{ID: "Ab3dEf7h", Was: &end}, {ID: "Yy3dEf7h"}},
		},
	}
	c.Head = fullHead(now)
	return c
}

// plainHold returns a hold with only the required fields.
func plainHold(now time.Time, id string) store.Hold {
	return store.Hold{ID: id, Number: 1, Cause: store.Unwitnessed, Since: seconds(now), Head: plainHead(now)}
}

// fullHold returns a hold with every field set.
func fullHold(now time.Time, id string) store.Hold {
	h := plainHold(now, id)
	h.Incarnation, h.LastKnown = "a1", seconds(now).Add(-time.Hour)
	h.Released = []string{store.ClientKind.Name}
	h.Head = fullHead(now)
	return h
}

// void returns a feed entry that ends the tokens of a client.
func void(now time.Time, id string) store.Entry {
	return store.Entry{
		Kind: store.EntryVoid,
		Key:  store.PrincipalClient(id),
		By:   "client:admin",
		At:   now.UTC().Truncate(time.Millisecond),
	}
}

// voids returns n entries, for the clients c0000, c0001, ….
func voids(now time.Time, n int) []store.Entry {
	entries := make([]store.Entry, n)
	for i := range entries {
		entries[i] = void(now, fmt.Sprintf("c%04d", i))
	}
	return entries
}

// event returns an audit event.
func event(now time.Time, target string) store.AuditEvent {
	return store.AuditEvent{
		Time:    now.UTC().Truncate(time.Millisecond),
		Action:  "client.create",
		Actor:   "uid:0",
		Target:  target,
		Outcome: "done",
	}
}

// plainOrg returns an org with only the required fields.
func plainOrg(now time.Time, id string) store.Org {
	return store.Org{ID: id, Head: plainHead(now)}
}

// fullOrg returns an org with every field set.
func fullOrg(now time.Time, id string) store.Org {
	o := plainOrg(now, id)
	o.Name, o.Incarnation, o.Head = "Banco <é>", 1<<32, fullHead(now)
	o.EndKeys("uid:0", seconds(now))
	return o
}

// plainCustomer returns a customer with only the required fields.
func plainCustomer(now time.Time, id string) store.Customer {
	return store.Customer{
		ID: id, OrgID: "h5D8B5gyHtk=", Type: store.Individual, Phone: "+15555550136",
		PhonesChangedAt: seconds(now), Head: plainHead(now),
	}
}

// fullCustomer returns a customer with every field set.
func fullCustomer(now time.Time, id string) store.Customer {
	c := plainCustomer(now, id)
	c.Type, c.Language, c.Head, c.OrgIncarnation = store.Business, "es", fullHead(now), 1<<32
	c.AuthorizedUsers = []store.AuthorizedUser{{ID: "20", Name: "Zoë <é>", Phone: "+15555550137"}, {Phone: "+15555550138"}}
	muted := now.Add(24 * time.Hour).UTC().Truncate(time.Second)
	c.MutedUntil = &muted
	return c
}

// plainPartner returns a partner with only the required fields.
func plainPartner(now time.Time, id string) store.Partner {
	return store.Partner{ID: id, Scopes: []string{"cards"}, Head: plainHead(now)}
}

// fullPartner returns a partner with every field set.
func fullPartner(now time.Time, id string) store.Partner {
	p := plainPartner(now, id)
	end := seconds(now).Add(time.Hour)
	p.Name, p.Incarnation, p.Head = "Hurdlr <é>", 1<<32, fullHead(now)
	p.Scopes = []string{"customers", "cards"}
	p.Tokens = []store.PartnerToken{
		{ID: "Ab3dEf7h", Name: "reporting", Hash: "sha256$abc", CreatedBy: "uid:0", CreatedAt: seconds(now), ExpiresAt: end},
		{
			ID: "Zz3dEf7h", Name: "é", Hash: "sha256$def", SourceIPs: []string{"192.0.2.0/24"}, CreatedBy: "client:admin",
			CreatedAt: seconds(now), ExpiresAt: end, RevokedAt: &end, RevokedBy: "uid:0",
		},
	}
	return p
}

// plainPartnerToken returns the owner of a partner token. All its fields are
// required.
func plainPartnerToken(_ time.Time, id string) store.PartnerTokenOwner {
	return store.PartnerTokenOwner{ID: id, PartnerID: "acme", Version: 1}
}

// plainAPIKey returns an API key with only the required fields.
func plainAPIKey(now time.Time, id string) store.APIKey {
	return store.APIKey{
		ID: id, OrgID: "h5D8B5gyHtk=", Owner: "2", Hash: "sha256$abc", Scopes: []string{"cards"}, CreatedBy: "uid:0",
		ExpiresAt: seconds(now).Add(time.Hour), Head: plainHead(now),
	}
}

// fullAPIKey returns an API key with every field set.
func fullAPIKey(now time.Time, id string) store.APIKey {
	k := plainAPIKey(now, id)
	end := seconds(now).Add(time.Minute)
	k.OrgIncarnation, k.OrgKeyEpoch, k.Name, k.Scopes = 1<<32, 3, "Reporting <é>", []string{"customers", "cards"}
	k.Audience, k.SourceIPs = []string{"https://a.example"}, []string{"192.0.2.0/24"}
	k.Resources = []store.Resource{{Type: "card", IDs: []string{"12", "13"}}}
	k.MadeWith = &store.KeyOrigin{ClientID: "billing", SecretID: "Ab3dEf7h", TokenID: "jti"}
	k.RevokedFor, k.ReplacedBy, k.FirstEnd = "client:billing", "Zz3dEf7h", &end
	k.Position, k.RevokedAt, k.RevokedBy = store.Position{Time: 1753488000123, Seq: 4}, &end, "client:billing"
	k.Head = fullHead(now)
	return k
}

// plainGrant returns a grant to acme with only the required fields.
func plainGrant(now time.Time, org string) store.Grant {
	return store.Grant{PartnerID: "acme", OrgID: org, Scopes: []string{"cards"}, Head: plainHead(now)}
}

// fullGrant returns a grant with every field set.
func fullGrant(now time.Time, org string) store.Grant {
	g := plainGrant(now, org)
	end := seconds(now).Add(time.Hour)
	g.Scopes, g.Endpoints = []string{"customers", "cards"}, []string{"GET /cards", "GET /customers/{id}"}
	g.Until, g.Head = &end, fullHead(now)
	g.PartnerIncarnation, g.OrgIncarnation = 1<<32, 7
	return g
}

// plainNotices returns a queue with only the required fields.
func plainNotices(_ time.Time, id string) store.NoticeQueue {
	return store.NoticeQueue{ID: id, Version: 1}
}

// fullNotices returns a queue with every field set.
func fullNotices(now time.Time, id string) store.NoticeQueue {
	q, at := plainNotices(now, id), seconds(now)
	q.Holder, q.HeldUntil, q.AuditID, q.AuditTime, q.Since = "a", at, "1-1t", at, at
	q.Pass = &store.NoticePass{Until: at, Part: 2, After: "a/b"}
	q.Pending = []store.Notice{{ID: "n_1", Kind: "k", At: at, Subject: "s", Summary: "Zoë <é>", Details: `{"a":1}`, Queued: at}}
	q.Recent = []store.NoticeMark{{ID: "n_1", Until: at}}
	return q
}

// plainSigningKeys returns a record with one key that signs.
func plainSigningKeys(now time.Time, id string) store.SigningKeys {
	return store.SigningKeys{ID: id, Keys: []store.SigningKey{{ID: "a", Private: []byte{1, 2}, CreatedAt: seconds(now), SignsSince: seconds(now)}}, Head: plainHead(now)}
}

// fullSigningKeys returns a record with every field set.
func fullSigningKeys(now time.Time, id string) store.SigningKeys {
	k, at := plainSigningKeys(now, id), seconds(now)
	k.Keys[0].RetiredAt, k.Head = at, fullHead(now)
	k.Keys = append(k.Keys, store.SigningKey{ID: "b", Private: []byte{3}, CreatedAt: at, SignsSince: at}, store.SigningKey{ID: "c", Private: []byte{4}, CreatedAt: at})
	return k
}
