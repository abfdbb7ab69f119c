package tokens

import (
	"context"
	"errors"
	"time"

	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/store"
)

// State says whether a token is active, or why it is not.
type State string

// The states. ADMIN_API.md explains them to operators.
const (
	StateActive           State = "active"
	StateExpired          State = "expired"
	StateRevoked          State = "revoked"
	StateVoid             State = "void"
	StateHeldBack         State = "held_back" // a partner token or an API key; see store.Hold
	StateLost             State = "lost"      // made here, not expired, without a record
	StateUnknown          State = "unknown"   // a jti without a record
	StateForeign          State = "foreign_environment"
	StateDamaged          State = "damaged"   // its form shows that it was not copied whole
	StateMalformed        State = "malformed" // never made by this server
	StateUnreadableRecord State = "unreadable"
)

// Explanation is what an operator learns about a token.
type Explanation struct {
	State  State  `json:"state"`
	Detail string `json:"detail"`

	EndedAt *time.Time `json:"ended_at,omitempty"`
	EndedBy string     `json:"ended_by,omitempty"`
	// VoidOf is the principal whose void ended the token.
	VoidOf string `json:"void_of,omitempty"`

	ID         string           `json:"jti,omitempty"`
	Use        store.TokenUse   `json:"token_use,omitempty"`
	Subject    string           `json:"sub,omitempty"`
	ClientID   string           `json:"client_id,omitempty"`
	SecretID   string           `json:"secret_id,omitempty"`
	OrgID      string           `json:"org_id,omitempty"`
	UserID     string           `json:"authorized_user_id,omitempty"` // of the customer
	PartnerID  string           `json:"partner_id,omitempty"`
	PartnerTID string           `json:"partner_token_id,omitempty"` // with which the token was made
	KeyOwner   string           `json:"key_owner,omitempty"`        // of an API key: whose it is within the org
	KeyName    string           `json:"key_name,omitempty"`
	CreatedBy  string           `json:"created_by,omitempty"`  // the actor who made an API key
	ReplacedBy string           `json:"replaced_by,omitempty"` // the key that a rotation made in its place
	Scope      string           `json:"scope,omitempty"`
	Upgradable string           `json:"upgradable_scope,omitempty"`
	Audience   []string         `json:"aud,omitempty"`
	Resources  []store.Resource `json:"resources,omitempty"`
	SourceIPs  []string         `json:"source_ips,omitempty"`
	Endpoints  []string         `json:"endpoints,omitempty"`
	IssuedAt   *time.Time       `json:"issued_at,omitempty"`
	ExpiresAt  *time.Time       `json:"expires_at,omitempty"`
	ExpiresBy  *time.Time       `json:"expires_by,omitempty"` // the latest end, where the record is gone that has the exact one
	AuthTime   *time.Time       `json:"auth_time,omitempty"`
	AMR        []string         `json:"amr,omitempty"`
	Parents    []string         `json:"parent_jtis,omitempty"`  // of the tokens from which it was made, the nearest first
	Secret     string           `json:"secret_state,omitempty"` // live, ended, unknown
	ClientLife string           `json:"client_state,omitempty"` // active, deactivated, deleted
}

// Explain returns why the presented token is active or not. It does not use the
// cache.
// Errors: store.ErrUnavailable, feed.ErrStale.
func (s *Service) Explain(ctx context.Context, presented string) (Explanation, error) {
	end, ok := s.o.Keys.Read(presented)
	if !ok {
		if credential.OtherEnvironment(presented, s.o.Environment) {
			return Explanation{State: StateForeign, Detail: "a token of the other environment: this server is " + s.o.Environment}, nil
		}
		return s.explainMalformed(presented), nil
	}
	if _, err := s.o.Feed.Fresh(ctx); err != nil {
		return Explanation{}, err
	}
	if k, id := s.keptKindOf(presented); k != nil {
		return s.explainKept(ctx, k, presented, id, end)
	}
	d := DigestOf(presented)
	return s.explainRecord(ctx, d, func() Explanation { return s.explainAbsent(d, end) })
}

// ExplainID is Explain for the token with the jti, which is that of a partner token
// or of an API key if it is the id of one. ok is false if it is not a jti.
// Errors: store.ErrUnavailable, feed.ErrStale.
func (s *Service) ExplainID(ctx context.Context, jti string) (x Explanation, ok bool, err error) {
	d, isDigest := ParseID(jti)
	if !isDigest && !credential.IsID(jti) {
		return x, false, nil
	}
	if _, err := s.o.Feed.Fresh(ctx); err != nil {
		return x, true, err
	}
	if !isDigest {
		x, err = s.explainKeptID(ctx, jti)
		return x, true, err
	}
	x, err = s.explainRecord(ctx, d, func() Explanation {
		return Explanation{State: StateUnknown, ID: jti, Detail: detailUnknown}
	})
	return x, true, err
}

const detailUnknown = "there is no record of a token with this jti: it expired more than a minute ago, was lost with the store's newest writes, or was made elsewhere; the token itself tells which"

// explainRecord explains the token with the digest by its record. absent explains one
// that has none.
func (s *Service) explainRecord(ctx context.Context, d store.Digest, absent func() Explanation) (Explanation, error) {
	t, err := s.o.Store.GetKeptToken(ctx, d)
	switch {
	case errors.Is(err, store.ErrNotFound):
		x := absent()
		if entry, void := s.o.Feed.VoidedKey(store.PrincipalToken(d), store.Position{}); void {
			x.revokedBy(entry)
		}
		return x, nil
	case errors.Is(err, store.ErrUnknownRecord):
		return Explanation{State: StateUnreadableRecord, ID: ID(d), Detail: "its record was written by a newer grantd; it counts as inactive here"}, nil
	case err != nil:
		return Explanation{}, err
	}
	x := explanationOf(d, &t)
	s.explainState(&x, d, &t)
	return x, s.explainOrigin(ctx, &x, &t)
}

func (s *Service) explainAbsent(d store.Digest, end time.Time) Explanation {
	x := Explanation{ID: ID(d), ExpiresBy: &end}
	if s.o.Now().Before(end) {
		x.State = StateLost
		x.Detail = "made by this server and not expired, but the store has no record of it: lost with the store's newest writes, or ended by hand"
		return x
	}
	x.State = StateExpired
	x.Detail = "expired within the minute before " + end.Format(time.RFC3339) + "; its record, which has the exact end, is gone"
	return x
}

// revokedBy sets the state from the entry that revoked the token.
func (x *Explanation) revokedBy(entry store.Entry) {
	x.State, x.EndedAt, x.EndedBy = StateRevoked, &entry.At, entry.By
	x.Detail = "revoked by " + entry.By
}

func explanationOf(d store.Digest, t *store.Token) Explanation {
	x := Explanation{
		ID: ID(d), Use: t.Use, Subject: Subject(t), ClientID: t.ClientID, SecretID: t.SecretID,
		OrgID: t.OrgID, UserID: t.AuthorizedUser, PartnerID: t.PartnerID, PartnerTID: t.PartnerTID,
		Scope: t.Scopes, Upgradable: t.Upgradable, Audience: t.Audience, Resources: t.Resources, SourceIPs: t.SourceIPs, Endpoints: t.Endpoints,
		IssuedAt: &t.IssuedAt, ExpiresAt: &t.ExpiresAt, AMR: t.AMR, Parents: t.Parents,
	}
	if !t.AuthTime.IsZero() {
		x.AuthTime = &t.AuthTime
	}
	return x
}

// explainState sets the state and what follows from it.
func (s *Service) explainState(x *Explanation, d store.Digest, t *store.Token) {
	entry, void := s.o.Feed.Voided(d, t)
	switch {
	case t.Revoked != nil:
		x.State, x.EndedAt, x.EndedBy = StateRevoked, &t.Revoked.At, t.Revoked.By
		x.Detail = "revoked by " + t.Revoked.By
	case void && entry.Key == store.PrincipalToken(d):
		x.revokedBy(entry)
	case void:
		x.State, x.EndedAt, x.EndedBy, x.VoidOf = StateVoid, &entry.At, entry.By, entry.Key
		x.Detail = "every token of " + entry.Key + " issued before was voided by " + entry.By
		if store.IsTokenPrincipal(entry.Key) {
			x.Detail = "the token that it was made from was revoked by " + entry.By
		}
	case !s.o.Now().Before(t.ExpiresAt):
		x.State, x.EndedAt = StateExpired, &t.ExpiresAt
		x.Detail = "expired at " + t.ExpiresAt.Format(time.RFC3339)
	default:
		x.State, x.Detail = StateActive, "active until "+t.ExpiresAt.Format(time.RFC3339)
	}
}

// explainOrigin sets the state of the client and the secret with which the token
// was made.
func (s *Service) explainOrigin(ctx context.Context, x *Explanation, t *store.Token) error {
	if t.ClientID == "" {
		return nil
	}
	c, err := s.o.Clients.Get(ctx, t.ClientID)
	if errors.Is(err, store.ErrNotFound) {
		x.ClientLife = "deleted"
		return nil
	}
	if err != nil {
		return err
	}
	x.ClientLife, x.Secret = "active", "unknown"
	if c.DeactivatedAt != nil {
		x.ClientLife = "deactivated"
	} else if c.Held() {
		x.ClientLife = "held_back"
	}
	for _, secret := range c.Secrets {
		if secret.ID == t.SecretID {
			x.Secret = "ended"
			if secret.Live(s.o.Now()) {
				x.Secret = "live"
			}
		}
	}
	return nil
}
