package auth

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// Recorder records authentications. It must not block.
type Recorder interface {
	RecordUse(clientID, secretID string, from netip.Addr)
	RecordFailure(clientID string, from netip.Addr)
}

// Limiter slows down callers that guess; see server/ratelimit.
type Limiter interface {
	CheckLocal(g ratelimit.Guess) time.Duration
	CheckShared(ctx context.Context, g ratelimit.Guess) time.Duration
	RecordFailure(ctx context.Context, g ratelimit.Guess) time.Duration
}

// Networks knows from where clients authenticated before with imported secrets;
// see server/ratelimit. Learn must not block.
type Networks interface {
	Known(ctx context.Context, clientID string, from netip.Addr) bool
	Learn(clientID string, from netip.Addr)
}

// Results of an authentication, for the metrics.
const (
	ResultOK        = "ok"
	ResultOldSecret = "old_secret"
	ResultRefused   = "refused"
	ResultLimited   = "limited"
)

// Options are what an Authenticator needs.
type Options struct {
	Environment string
	Clients     *registry.Cache[store.Client]
	Orgs        *registry.Cache[store.Org]
	Recorder    Recorder
	Limiter     Limiter
	Networks    Networks
	Observe     func(result string)
	Now         func() time.Time
}

// Authenticator checks client credentials.
type Authenticator struct {
	o    Options
	slow *slowHashes
	// decoy is the hash to compare with where there is none, so that an unknown
	// client takes as long as a wrong secret.
	decoy string
}

// New makes an Authenticator.
func New(o Options) *Authenticator {
	_, _, decoy := credential.NewSecret(o.Environment)
	return &Authenticator{o: o, slow: newSlowHashes(), decoy: decoy}
}

// Identity is an authenticated client.
type Identity struct {
	Client    *store.Client // shared: must not be changed
	SecretID  string
	OldSecret bool // a newer secret exists: it is being rotated away
	// Mark is how far the feed had come before anything was read.
	Mark feed.Mark
}

var errLimited = apierr.New(apierr.TooManyRequests, "too many failed attempts: wait as long as Retry-After says")

// Authenticate checks the credentials of a caller at the address from. The
// right generated secret passes whatever the limits say, and so does an imported
// secret that was right before. Before it refuses, it reads the client from the
// store: another replica may just have made the client or the secret. An unknown
// client takes the same steps as a wrong secret: one look into the cache, one
// read, one count.
//
// Errors: apierr.InvalidClient (the same for a client that is unknown,
// deactivated, of a deactivated org, pinned to another method or at the wrong
// address, and for a secret that is wrong or ended), apierr.TooManyRequests,
// store.ErrUnavailable.
func (a *Authenticator) Authenticate(ctx context.Context, c Credentials, from netip.Addr) (Identity, error) {
	rec, err := a.o.Clients.Peek(ctx, c.ClientID)
	if err != nil {
		return Identity{}, err
	}
	secret := a.checkFast(rec.Record, c, from)
	if secret == nil {
		if rec, err = a.o.Clients.Read(ctx, c.ClientID); err != nil {
			return Identity{}, err
		}
		secret = a.checkFast(rec.Record, c, from)
	}
	if secret == nil {
		if rec, secret, err = a.checkSlow(ctx, rec, c, from); err != nil {
			return Identity{}, err
		}
	}
	var cause error // for the log
	if secret != nil && rec.Record.OrgID != "" {
		if cause, err = a.checkOrg(ctx, rec.Record); err != nil {
			return Identity{}, err
		}
	}
	if secret == nil && rec.Record != nil && rec.Record.Held() {
		cause = errHeld
	}
	if secret == nil || cause != nil {
		return Identity{}, a.refuse(ctx, rec.Record, ratelimit.Guess{ClientID: c.ClientID, From: from}, cause)
	}
	id := Identity{Client: rec.Record, SecretID: secret.ID, OldSecret: isOld(rec.Record, secret), Mark: rec.Mark}
	a.o.Recorder.RecordUse(id.Client.ID, id.SecretID, from)
	if credential.IsImported(secret.Hash) {
		a.o.Networks.Learn(id.Client.ID, from)
	}
	if id.OldSecret {
		a.o.Observe(ResultOldSecret)
	} else {
		a.o.Observe(ResultOK)
	}
	return id, nil
}

// Causes of a refusal in spite of a right secret. They are for the log: the
// response is the same as for a wrong secret.
var (
	errOrgGone     = errors.New("the secret is right, but there is no org with the client's org_id")
	errOrgOff      = errors.New("the secret is right, but the client's org is deactivated")
	errOrgHeld     = errors.New("the secret is right, but the client's org is held back since the store came back older: see grantd store doctor")
	errHeld        = errors.New("the client is held back since the store came back older: see grantd store doctor")
	errOrgReplaced = errors.New("the secret is right, but the client belongs to a former org with the same id: delete the client and create another one")
)

// checkOrg returns why the client may not authenticate because of its org, or
// nil if it may. The token carries the mark of the client, which is older than
// the org's.
func (a *Authenticator) checkOrg(ctx context.Context, client *store.Client) (cause, err error) {
	found, err := a.o.Orgs.Get(ctx, client.OrgID)
	if err == nil && unusable(found.Record, client) != nil {
		found, err = a.o.Orgs.Reread(ctx, client.OrgID, found)
	}
	if err != nil {
		return nil, err
	}
	return unusable(found.Record, client), nil
}

// unusable returns why the org does not let its client authenticate, or nil. It
// must be the org that the client was made for, not a later one with its id.
func unusable(org *store.Org, client *store.Client) error {
	switch {
	case org == nil:
		return errOrgGone
	case !org.Owns(client.OrgIncarnation, client.CreatedAt):
		return errOrgReplaced
	case org.Held():
		return errOrgHeld
	case !org.Usable():
		return errOrgOff
	}
	return nil
}

// refuse counts the failure. It returns InvalidClient, or TooManyRequests once
// there were too many. The cause is logged; nil: the caller was wrong.
func (a *Authenticator) refuse(ctx context.Context, client *store.Client, g ratelimit.Guess, cause error) error {
	known := "" // the recorder takes as long for nobody
	if client != nil {
		known = client.ID
	}
	a.o.Recorder.RecordFailure(known, g.From)
	if wait := a.o.Limiter.RecordFailure(ctx, g); wait > 0 {
		return a.limited(wait)
	}
	a.o.Observe(ResultRefused)
	if cause != nil {
		return errFailed.Because(cause)
	}
	return errFailed
}

func (a *Authenticator) limited(wait time.Duration) error {
	a.o.Observe(ResultLimited)
	return errLimited.After(wait)
}

// checkGenerated returns the live generated secret that was presented, or nil.
// The secret holds its id, so one hash is compared, however many the client has.
func (a *Authenticator) checkGenerated(client *store.Client, c Credentials, from netip.Addr) *store.Secret {
	id, ours := credential.SecretID(c.Secret, a.o.Environment)
	hash := a.decoy
	var found *store.Secret
	if client != nil && ours {
		for i := range client.Secrets {
			if client.Secrets[i].ID == id {
				found = &client.Secrets[i]
				hash = found.Hash
			}
		}
	}
	if !credential.Matches(hash, c.Secret) || found == nil || !found.Live(a.o.Now()) || !admitted(client, c.Method, from) {
		return nil
	}
	return found
}

// checkFast returns the live secret that was presented, if no slow hash is
// needed to check it: a generated one, or an imported one that was right before.
func (a *Authenticator) checkFast(client *store.Client, c Credentials, from netip.Addr) *store.Secret {
	if secret := a.checkGenerated(client, c, from); secret != nil || client == nil || !admitted(client, c.Method, from) {
		return secret
	}
	return a.slow.findRemembered(client, liveImported(client, a.o.Now()), c.Secret)
}

// admitted reports whether the client may authenticate by the method and from
// the address. It does not look at the secret.
func admitted(c *store.Client, method string, from netip.Addr) bool {
	if !c.Usable() {
		return false
	}
	if len(c.AuthMethods) > 0 && !slices.Contains(c.AuthMethods, method) {
		return false
	}
	return len(c.SourceIPs) == 0 || field.RangesContain(c.SourceIPs, from)
}

// isOld reports whether the client has a newer secret. New secrets come last in
// the list. Their times cannot tell, because they are whole seconds.
func isOld(c *store.Client, used *store.Secret) bool {
	return c.Secrets[len(c.Secrets)-1].ID != used.ID
}
