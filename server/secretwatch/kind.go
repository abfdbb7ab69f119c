package secretwatch

import (
	"cmp"
	"slices"
	"time"

	"github.com/grantd/grantd/store"
)

// State is whether a credential works.
type State string

// The states.
const (
	Active      State = "active"
	Deactivated State = "deactivated" // it works again once its owner is active
	Expired     State = "expired"
	Ended       State = "ended" // on purpose: revoked, leaked, or replaced at once
)

// States has every state.
var States = []State{Active, Deactivated, Expired, Ended}

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
	// Credentials returns the credentials of the record, whatever their state.
	Credentials func(r *R, now time.Time) []Credential
}

// Secrets returns the secrets of clients.
func Secrets(clients store.Clients) Kind[store.Client] {
	return Kind[store.Client]{"secrets", store.ClientKind, clients, secretsOf}
}

// PartnerTokens returns the tokens that partners hold.
func PartnerTokens(partners store.Partners) Kind[store.Partner] {
	return Kind[store.Partner]{"partner tokens", store.PartnerKind, partners, partnerTokensOf}
}

func secretsOf(c *store.Client, now time.Time) []Credential {
	list := make([]Credential, len(c.Secrets))
	for i, s := range c.Secrets {
		list[i] = Credential{
			Owner: store.PrincipalClient(c.ID), OrgID: c.OrgID, ID: s.ID, CreatedAt: s.CreatedAt, EndedBy: s.EndedBy,
			State: stateOf(s.Live(now), s.Ended, c.Usable()), ExpiresAt: timeOf(s.ExpiresAt), EndedAt: timeOf(s.EndedAt),
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
			State: stateOf(t.Live(now), t.RevokedAt != nil, p.Usable()), EndedAt: timeOf(t.RevokedAt), EndedBy: t.RevokedBy,
		}
	}
	return list
}

func stateOf(live, ended, usable bool) State {
	switch {
	case ended:
		return Ended
	case !live:
		return Expired
	case !usable:
		return Deactivated
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
