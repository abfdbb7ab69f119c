package tokens

import (
	"context"
	"time"

	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/store"
)

// keptKind is a kind of long-lived token. Such a token is kept as a record, or inside
// one, and not among the stored tokens: it ends when its record says so.
type keptKind struct {
	form credential.LongLived
	use  store.TokenUse
	lost string // what is said of one that has no record
	// read returns the token with the id, which proves nothing. It also asks the feed,
	// which may have an end that the record lacks.
	read func(s *Service, ctx context.Context, id string) (kept, error)
}

var keptKinds = [...]*keptKind{
	{credential.PartnerToken, store.UsePartner, "a partner token of this server of which there is no record: its partner was deleted, or it was revoked long ago", (*Service).readPartnerToken},
	{credential.APIKey, store.UseKey, "an API key of this server of which there is no record: its org was deleted, or it ended long ago", (*Service).readKey},
}

// kept is a long-lived token, as its record and the feed have it.
type kept struct {
	token   *store.Token // as introspection shows it, live or not; nil: there is no record
	id      string
	hash    string
	partner string        // id of the partner that has it; "": none
	key     *store.APIKey // shared; nil: it is not an API key
	mark    feed.Mark     // from before anything was read
	cached  bool          // found without reading the store
	ending  ending        // zero: the token may be used
}

// ending is why a long-lived token must not be used.
type ending struct {
	why    Refused
	at     time.Time // zero: not known
	by     string    // actor; "": nobody in particular
	voidOf string    // the principal whose end it is; "": the token's own
	detail string
}

// Refused says why a known long-lived token must not be used. The log shows it as
// the cause.
type Refused string

// The reasons.
const (
	RefusedRevoked     Refused = "revoked"
	RefusedVoid        Refused = "void"
	RefusedDeactivated Refused = "partner deactivated"
	RefusedHeld        Refused = "partner held back since the store came back older"
	RefusedKeyHeld     Refused = "key or org held back since the store came back older"
	RefusedExpired     Refused = "expired"
	RefusedAddress     Refused = "address not allowed"
)

// refusals are the causes and the states of long-lived tokens that must not be used.
var refusals = map[Refused]struct {
	cause refusal.Cause
	state State
}{
	RefusedRevoked: {refusal.Revoked, StateRevoked}, RefusedVoid: {refusal.Void, StateVoid}, RefusedDeactivated: {refusal.Void, StateVoid},
	RefusedHeld: {refusal.HeldBack, StateHeldBack}, RefusedKeyHeld: {refusal.HeldBack, StateHeldBack}, RefusedExpired: {refusal.Expired, StateExpired},
}

// expiredAt is the ending of a token whose time is over.
func expiredAt(at time.Time) ending {
	return ending{why: RefusedExpired, at: at, detail: "expired at " + at.Format(time.RFC3339)}
}

// makeKept returns a new token of the kind that ends at the given time, its id, and
// the hash to keep. It has the keyed check that all tokens have.
func (s *Service) makeKept(form credential.LongLived, end time.Time) (plain, id, hash string) {
	prefix, id := form.NewPrefix(s.o.Environment)
	plain = s.o.Keys.make(prefix, end)
	return plain, id, credential.Hash(plain)
}

// keptKindOf returns the kind of the long-lived token that was presented, and its id;
// nil if its form is another one.
func (s *Service) keptKindOf(presented string) (*keptKind, string) {
	for _, k := range keptKinds {
		if id, ok := k.form.ID(presented, s.o.Environment); ok {
			return k, id
		}
	}
	return nil, ""
}

// keptOf returns the long-lived token that was presented, live or not. Its token is
// nil if there is none: it was made up, or ended long ago.
// Errors: store.ErrUnavailable, feed.ErrStale.
func (s *Service) keptOf(ctx context.Context, k *keptKind, presented, id string) (kept, error) {
	found, err := k.read(s, ctx, id)
	if found.token != nil && !credential.Matches(found.hash, presented) {
		found.token = nil
	}
	return found, err
}

// findKept is Find for a long-lived token, which is never in the cache of tokens.
func (s *Service) findKept(ctx context.Context, found Found, k *keptKind, presented, id string) (Found, error) {
	t, err := s.keptOf(ctx, k, presented, id)
	found.Mark, found.Source = t.mark, FromStore
	if t.cached {
		found.Source = FromCache
	}
	if err != nil || t.token == nil {
		found.End.Cause = refusal.Lost
		return found, err
	}
	found.keptID = t.id
	if e := &t.ending; e.why != "" {
		found.Refused = &RefusedToken{t.partner, t.id, e.why}
		found.End = End{Cause: refusals[e.why].cause, VoidOf: e.voidOf, At: e.at, Made: true}
		return found, nil
	}
	found.Token = t.token
	return found, nil
}

// explainKept is Explain for a long-lived token of this server.
func (s *Service) explainKept(ctx context.Context, k *keptKind, presented, id string, end time.Time) (Explanation, error) {
	t, err := s.keptOf(ctx, k, presented, id)
	if err != nil {
		return Explanation{}, err
	}
	if t.token == nil {
		x := Explanation{State: StateLost, ID: id, Use: k.use, ExpiresBy: &end, Detail: k.lost}
		if !s.o.Now().Before(end) {
			x.State, x.Detail = StateExpired, "expired; its record, which has the exact end, is gone"
		}
		return x, nil
	}
	return t.explanation(), nil
}

// explainKeptID is explainKept for the id of a long-lived token.
func (s *Service) explainKeptID(ctx context.Context, id string) (Explanation, error) {
	for _, k := range keptKinds {
		if t, err := k.read(s, ctx, id); err != nil || t.token != nil {
			return t.explanation(), err
		}
	}
	return Explanation{State: StateUnknown, ID: id, Detail: "there is no partner token and no API key with this id: its partner or org was deleted, it ended long ago, or it was made elsewhere"}, nil
}

// explanation explains the token, if it has a record.
func (t *kept) explanation() Explanation {
	if t.token == nil {
		return Explanation{}
	}
	x := explanationOf(store.Digest{}, t.token)
	x.ID = t.id
	if k := t.key; k != nil {
		x.KeyOwner, x.KeyName, x.CreatedBy, x.ReplacedBy = k.Owner, k.Name, k.CreatedBy, k.ReplacedBy
	}
	e := &t.ending
	if e.why == "" {
		x.State, x.Detail = StateActive, "active until "+t.token.ExpiresAt.Format(time.RFC3339)
		return x
	}
	x.State, x.EndedBy, x.VoidOf, x.Detail = refusals[e.why].state, e.by, e.voidOf, e.detail
	if !e.at.IsZero() {
		x.EndedAt = &e.at
	}
	return x
}
