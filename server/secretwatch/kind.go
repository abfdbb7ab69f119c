package secretwatch

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/grantd/grantd/store"
)

// State is whether a credential works.
type State string

// The states.
const (
	Active      State = "active"
	HeldBack    State = "held_back"   // it, or its owner, is: see store.Hold
	Deactivated State = "deactivated" // it works again once its owner is active
	Expired     State = "expired"
	Ended       State = "ended" // on purpose: revoked, leaked, or replaced at once
)

// States has every state.
var States = []State{Active, HeldBack, Deactivated, Expired, Ended}

// KeyStates has every state of an API key: those of a deactivated org have ended.
var KeyStates = []State{Active, HeldBack, Expired, Ended}

// Credential is what is known of one credential. It holds neither the secret nor
// its hash.
type Credential struct {
	Owner     string // principal key of the record that has it, such as client:billing
	OrgID     string // of the owner; "": none
	ID        string
	State     State
	CreatedAt time.Time
	ExpiresAt time.Time // zero: it does not end by itself
	EndedAt   time.Time // of an ended one; zero: not known
	EndedBy   string    // actor; "": not known
	// Replaced: another one was made in its place, and it is left to end by itself.
	Replaced bool
	// KeyOwner and KeyName say whose it is within the org and what it is for, if it is an
	// API key.
	KeyOwner, KeyName string
}

// Kind is one sort of credential: those in the records of one kind.
type Kind[R any] struct {
	Name    string // in the log, in the plural
	Of      store.Kind[R]
	Records store.Records[R]
	// Credentials returns the credentials of each of the records, whatever their
	// state.
	Credentials func(ctx context.Context, records []R, now time.Time) ([][]Credential, error)
}

// Secrets returns the secrets of clients.
func Secrets(clients store.Clients) Kind[store.Client] {
	return Kind[store.Client]{"secrets", store.ClientKind, clients, each(SecretsOf)}
}

// PartnerTokens returns the tokens that partners hold.
func PartnerTokens(partners store.Partners) Kind[store.Partner] {
	return Kind[store.Partner]{"partner tokens", store.PartnerKind, partners, each(partnerTokensOf)}
}

// each returns Kind.Credentials of a kind whose records say it all.
func each[R any](of func(*R, time.Time) []Credential) func(context.Context, []R, time.Time) ([][]Credential, error) {
	return func(_ context.Context, records []R, now time.Time) ([][]Credential, error) {
		lists := make([][]Credential, len(records))
		for i := range records {
			lists[i] = of(&records[i], now)
		}
		return lists, nil
	}
}

// SecretsOf returns the secrets of the client, in their order there.
func SecretsOf(c *store.Client, now time.Time) []Credential {
	list := make([]Credential, len(c.Secrets))
	for i, s := range c.Secrets {
		list[i] = Credential{
			Owner: store.PrincipalClient(c.ID), OrgID: c.OrgID, ID: s.ID, CreatedAt: s.CreatedAt, EndedBy: s.EndedBy,
			State: stateOf(s.Live(now), s.Ended, &c.Head), ExpiresAt: timeOf(s.ExpiresAt), EndedAt: timeOf(s.EndedAt),
		}
		if s.Ended && s.EndedAt == nil {
			list[i].EndedAt = timeOf(s.ExpiresAt) // an older grantd wrote only that
		}
	}
	return list
}

func partnerTokensOf(p *store.Partner, now time.Time) []Credential {
	list := make([]Credential, len(p.Tokens))
	for i, t := range p.Tokens {
		list[i] = Credential{
			Owner: store.PrincipalPartner(p.ID), ID: t.ID, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt,
			State: stateOf(t.Live(now), t.RevokedAt != nil, &p.Head), EndedAt: timeOf(t.RevokedAt), EndedBy: t.RevokedBy,
		}
	}
	return list
}

// stateOf returns the state of a credential. The owner is the record that has it.
func stateOf(live, ended bool, owner *store.Head) State {
	switch {
	case ended:
		return Ended
	case !live:
		return Expired
	case owner.DeactivatedAt != nil:
		return Deactivated
	case owner.Held():
		return HeldBack
	}
	return Active
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// byID sorts the credentials by their ids.
func byID(list []Credential) []Credential {
	slices.SortFunc(list, func(a, b Credential) int { return cmp.Compare(a.ID, b.ID) })
	return list
}
