package notices

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/store"
)

// passEvery is how often all credentials are read.
const passEvery = time.Hour

// part is one of the readings of a pass.
type part func(ctx context.Context, s *Service, q store.NoticeQueue, room int) (list []store.Notice, next string, err error)

// parts are the readings of a pass, in their order.
var parts = []part{
	func(ctx context.Context, s *Service, q store.NoticeQueue, room int) ([]store.Notice, string, error) {
		return ending(ctx, s, secretwatch.Secrets(s.o.Store.Clients()), kindSecretEnds, q, room)
	},
	func(ctx context.Context, s *Service, q store.NoticeQueue, room int) ([]store.Notice, string, error) {
		return ending(ctx, s, secretwatch.PartnerTokens(s.o.Store.Partners()), kindPartnerTokenEnds, q, room)
	},
	func(ctx context.Context, s *Service, q store.NoticeQueue, room int) ([]store.Notice, string, error) {
		return ending(ctx, s, secretwatch.APIKeys(s.o.Store.APIKeys(), s.o.Store.Orgs()), kindKeyEnds, q, room)
	},
	func(ctx context.Context, s *Service, q store.NoticeQueue, room int) ([]store.Notice, string, error) {
		return unused(ctx, s, secretwatch.Secrets(s.o.Store.Clients()), kindSecretUnused, q, room)
	},
	func(ctx context.Context, s *Service, q store.NoticeQueue, room int) ([]store.Notice, string, error) {
		return unused(ctx, s, secretwatch.PartnerTokens(s.o.Store.Partners()), kindPartnerTokenUnused, q, room)
	},
	func(ctx context.Context, s *Service, q store.NoticeQueue, room int) ([]store.Notice, string, error) {
		return unused(ctx, s, secretwatch.APIKeys(s.o.Store.APIKeys(), s.o.Store.Orgs()), kindKeyUnused, q, room)
	},
}

// beginPass begins a reading of all credentials if it is time for one.
func beginPass(q *store.NoticeQueue, now time.Time) {
	if q.Pass == nil && now.Sub(q.Since) >= passEvery {
		q.Pass = &store.NoticePass{Until: now.UTC()}
	}
}

// collectCredentials returns up to room notices of the credentials that the pass of the
// queue reads next, and where the pass is then; nil: it is over.
func (s *Service) collectCredentials(ctx context.Context, q store.NoticeQueue, room int) ([]store.Notice, *store.NoticePass, error) {
	at := *q.Pass
	if at.Part < 0 || at.Part >= int64(len(parts)) {
		return nil, nil, nil
	}
	list, next, err := parts[at.Part](ctx, s, q, room)
	if err != nil {
		return nil, &at, err
	}
	if at.After = next; next == "" {
		at.Part++
	}
	if at.Part == int64(len(parts)) {
		return list, nil, nil
	}
	return list, &at, nil
}

// ending returns the notices of credentials that end soon.
func ending[R any](ctx context.Context, s *Service, k secretwatch.Kind[R], kind string, q store.NoticeQueue, room int) (list []store.Notice, next string, err error) {
	now := q.Pass.Until
	found, next, err := k.Page(ctx, s.o.Store, secretwatch.Filter{EndsBefore: now.Add(time.Duration(before[0])*day + time.Second)}, q.Pass.After, room, now)
	for _, c := range found {
		if days, due := findStep(c.ExpiresAt, q.Since, now); due {
			list = append(list, endNotice(kind, c.Credential, c.Use, days, s.now()))
		}
	}
	return list, next, err
}

// endNotice returns the notice of a credential that ends within the days.
func endNotice(kind string, c secretwatch.Credential, u store.Use, days int, now time.Time) store.Notice {
	d := describe(c, u)
	d["days"] = days
	subject := subjectOf(c)
	summary := fmt.Sprintf("%s ends within %s, at %s", nameOf(c), dayCount(days), c.ExpiresAt.UTC().Format(time.RFC3339))
	return build(kind, c.ExpiresAt.Add(-time.Duration(days)*day), now, subject, summary, d, days, c.ExpiresAt.Unix())
}

// unused returns the notices of credentials that nobody uses.
func unused[R any](ctx context.Context, s *Service, k secretwatch.Kind[R], kind string, q store.NoticeQueue, room int) (list []store.Notice, next string, err error) {
	now := q.Pass.Until
	found, next, err := k.Page(ctx, s.o.Store, secretwatch.Filter{UnusedSince: now.Add(-unusedFor)}, q.Pass.After, room, now)
	for _, c := range found {
		last := c.CreatedAt
		if c.Use.LastAt.After(last) {
			last = c.Use.LastAt
		}
		at := last.Add(unusedFor)
		if !at.After(q.Since) {
			continue
		}
		subject := subjectOf(c.Credential)
		summary := fmt.Sprintf("%s was not used for %s: end it if nobody needs it", nameOf(c.Credential), dayCount(int(unusedFor/day)))
		d := describe(c.Credential, c.Use)
		d["days"] = int(unusedFor / day)
		list = append(list, build(kind, at, s.now(), subject, summary, d, last.Unix()))
	}
	return list, next, err
}

// subjectOf returns the principal key of the credential.
func subjectOf(c secretwatch.Credential) string {
	switch kind, id := store.OwnerOf(c.Owner); kind {
	case store.OwnerClient:
		return store.PrincipalSecret(id, c.ID)
	case store.OwnerKey:
		return store.PrincipalKey(c.ID)
	}
	return store.PrincipalPartnerToken(c.ID)
}

// nameOf returns the subject, and of an API key also what it is for and whose it is.
func nameOf(c secretwatch.Credential) string {
	if c.KeyOwner == "" {
		return subjectOf(c)
	}
	return fmt.Sprintf("%s (%q of %s in org %s)", subjectOf(c), c.KeyName, c.KeyOwner, c.OrgID)
}

func describe(c secretwatch.Credential, u store.Use) details {
	kind, id := store.OwnerOf(c.Owner)
	d := details{"created_at": c.CreatedAt.UTC(), "expires_at": timeOrNull(c.ExpiresAt), "last_used_at": timeOrNull(u.LastAt)}
	switch kind {
	case store.OwnerClient:
		d["client_id"], d["secret_id"], d["org_id"] = id, c.ID, c.OrgID
		return d
	case store.OwnerKey:
		d["key_id"], d["org_id"], d["key_owner"], d["key_name"] = c.ID, c.OrgID, c.KeyOwner, c.KeyName
		return d
	}
	d[strings.TrimSuffix(string(kind), ":")+"_id"], d["partner_token_id"] = id, c.ID
	return d
}

// timeOrNull returns the time in UTC; nil if it is zero.
func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Truncate(time.Second)
}
