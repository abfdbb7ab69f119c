package auth

import (
	"context"
	"time"

	"github.com/grantd/grantd/store"
)

// Proof is what a client authenticated with, without the secret: for a call that goes
// on for so long that the secret may end meanwhile.
type Proof struct {
	ClientID string
	SecretID string
	Method   string
}

// Recheck returns the client if it could still authenticate with the proof, and when
// the secret expires (zero: it does not); otherwise nil. It does not look at addresses.
// Errors: store.ErrUnavailable.
func (a *Authenticator) Recheck(ctx context.Context, p Proof) (client *store.Client, ends time.Time, err error) {
	found, err := a.o.Clients.Get(ctx, p.ClientID)
	if err != nil || found.Record == nil {
		return nil, ends, err
	}
	client = found.Record
	ends, ok := endOf(client, p, a.o.Now())
	if !ok {
		return nil, ends, nil
	}
	if client.OrgID != "" {
		cause, err := a.checkOrg(ctx, client)
		if err != nil || cause != "" {
			return nil, ends, err
		}
	}
	return client, ends, nil
}

// endOf returns when the secret of the proof expires. ok is false if the client cannot
// authenticate with it.
func endOf(client *store.Client, p Proof, now time.Time) (ends time.Time, ok bool) {
	if cause := barrier(client, p.Method); cause != "" {
		return ends, false
	}
	for _, s := range client.Secrets {
		if s.ID == p.SecretID && s.Live(now) {
			if s.ExpiresAt != nil {
				ends = *s.ExpiresAt
			}
			return ends, true
		}
	}
	return ends, false
}
