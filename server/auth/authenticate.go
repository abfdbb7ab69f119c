package auth

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// Recorder records authentications. It must not block.
type Recorder interface {
	RecordUse(clientID, secretID string, from netip.Addr)
	RecordFailure(clientID, cause string, from netip.Addr)
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
	// Observe counts the result of an authentication, and why it was refused.
	Observe func(result, cause string)
	Now     func() time.Time
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
	var orgCause refusal.Cause
	if secret != nil && rec.Record.OrgID != "" {
		if orgCause, err = a.checkOrg(ctx, rec.Record); err != nil {
			return Identity{}, err
		}
	}
	if secret == nil || orgCause != "" {
		why := a.explain(rec.Record, c, from)
		if orgCause != "" {
			why.Cause = orgCause
		}
		return Identity{}, a.refuse(ctx, rec.Record, ratelimit.Guess{ClientID: c.ClientID, From: from}, why)
	}
	id := Identity{Client: rec.Record, SecretID: secret.ID, OldSecret: isOld(rec.Record, secret), Mark: rec.Mark}
	a.o.Recorder.RecordUse(id.Client.ID, id.SecretID, from)
	if credential.IsImported(secret.Hash) {
		a.o.Networks.Learn(id.Client.ID, from)
	}
	if id.OldSecret {
		a.o.Observe(ResultOldSecret, "")
	} else {
		a.o.Observe(ResultOK, "")
	}
	return id, nil
}

// checkOrg returns why the client may not authenticate because of its org, or
// "" if it may. The token carries the mark of the client, which is older than
// the org's.
func (a *Authenticator) checkOrg(ctx context.Context, client *store.Client) (refusal.Cause, error) {
	found, err := a.o.Orgs.Get(ctx, client.OrgID)
	if err == nil && unusable(found.Record, client) != "" {
		found, err = a.o.Orgs.Reread(ctx, client.OrgID, found)
	}
	if err != nil {
		return "", err
	}
	return unusable(found.Record, client), nil
}

// unusable returns why the org does not let its client authenticate, or "". It
// must be the org that the client was made for, not a later one with its id.
func unusable(org *store.Org, client *store.Client) refusal.Cause {
	switch {
	case org == nil:
		return refusal.OrgMissing
	case !org.Owns(client.OrgIncarnation, client.CreatedAt):
		return refusal.OrgReplaced
	case org.Held():
		return refusal.OrgHeld
	case !org.Usable():
		return refusal.OrgDeactivated
	}
	return ""
}

// checkGenerated returns the live generated secret that was presented, or nil.
func (a *Authenticator) checkGenerated(client *store.Client, c Credentials, from netip.Addr) *store.Secret {
	named, right := a.compare(client, c.Secret)
	if !right || !named.Live(a.o.Now()) || !admitted(client, c.Method, from) {
		return nil
	}
	return named
}

// compare returns the secret of the client, live or not, whose id is in the
// generated secret that was presented; nil if there is none. right says whether
// it is that secret. One hash is compared, however many the client has, and also
// if there is no client.
func (a *Authenticator) compare(client *store.Client, presented string) (named *store.Secret, right bool) {
	id, ours := credential.SecretID(presented, a.o.Environment)
	hash := a.decoy
	if client != nil && ours {
		for i := range client.Secrets {
			if client.Secrets[i].ID == id {
				named = &client.Secrets[i]
				hash = named.Hash
			}
		}
	}
	return named, credential.Matches(hash, presented) && named != nil
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
	return barrierFrom(c, method, from) == ""
}

// barrier returns why the client is not admitted from any address, or "".
func barrier(c *store.Client, method string) refusal.Cause {
	switch {
	case c.Held():
		return refusal.ClientHeld
	case !c.Usable():
		return refusal.ClientDeactivated
	case len(c.AuthMethods) > 0 && !slices.Contains(c.AuthMethods, method):
		return refusal.MethodNotAllowed
	}
	return ""
}

// barrierFrom returns why the client is not admitted from the address, or "".
func barrierFrom(c *store.Client, method string, from netip.Addr) refusal.Cause {
	switch cause := barrier(c, method); {
	case cause != "":
		return cause
	case len(c.SourceIPs) > 0 && !field.RangesContain(c.SourceIPs, from):
		return refusal.AddressNotAllowed
	}
	return ""
}

// isOld reports whether the client has a newer secret. New secrets come last in
// the list. Their times cannot tell, because they are whole seconds.
func isOld(c *store.Client, used *store.Secret) bool {
	return c.Secrets[len(c.Secrets)-1].ID != used.ID
}
