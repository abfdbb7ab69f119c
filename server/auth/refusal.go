package auth

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/store"
)

// Refusal is why an authentication was refused, for the log and the audit. It is
// the cause of the error that Authenticate returns, and never sent to the caller.
type Refusal struct {
	Cause       refusal.Cause
	ClientKnown bool
	SecretID    string    // the id inside the secret that was presented
	SecretRight bool      // it is, or was, a generated secret of the client
	EndedAt     time.Time // when that secret ended; zero: it has not
}

// Error returns the cause in one word.
func (r *Refusal) Error() string { return string(r.Cause) }

// RefusalOf returns the Refusal in err, or nil.
func RefusalOf(err error) *Refusal {
	var r *Refusal
	errors.As(err, &r)
	return r
}

// explain returns why the client, which may be nil, is not authenticated. It reads
// nothing and computes one hash, whatever the cause: a caller must not learn the
// cause from its time.
func (a *Authenticator) explain(client *store.Client, c Credentials, from netip.Addr) *Refusal {
	named, right := a.compare(client, c.Secret)
	r := &Refusal{ClientKnown: client != nil, SecretRight: right}
	id, ours := credential.SecretID(c.Secret, a.o.Environment)
	if ours {
		r.SecretID = strings.Clone(id)
	}
	if right && !named.Live(a.o.Now()) && named.ExpiresAt != nil {
		r.EndedAt = *named.ExpiresAt
	}
	r.Cause = a.causeOf(client, c, from, named, right, ours)
	return r
}

func (a *Authenticator) causeOf(client *store.Client, c Credentials, from netip.Addr, named *store.Secret, right, ours bool) refusal.Cause {
	switch {
	case credential.OtherEnvironment(c.Secret, a.o.Environment):
		return refusal.OtherEnvironment
	case client == nil:
		return refusal.UnknownClient
	}
	if cause := barrierFrom(client, c.Method, from); cause != "" {
		return cause
	}
	switch {
	case right && named.Ended:
		return refusal.SecretEnded
	case right:
		return refusal.SecretExpired
	case c.EndsInLineBreak():
		return refusal.SecretLineBreak
	case named != nil:
		return refusal.SecretDamaged
	case ours:
		return refusal.SecretNotOfClient
	}
	return causeOfOther(client, c.Secret, a.o.Now())
}

// causeOfOther is causeOf for a secret that has not the form of grantd's: an
// imported one, or anything else.
func causeOfOther(client *store.Client, presented string, now time.Time) refusal.Cause {
	live := 0
	for _, s := range client.Secrets {
		if !s.Live(now) {
			continue
		}
		if live++; credential.CutsOff(s.Hash, presented) {
			return refusal.SecretOver72Bytes
		}
	}
	if live == 0 {
		return refusal.NoLiveSecret
	}
	return refusal.WrongSecret
}

// refuse counts the failure. It returns InvalidClient, or TooManyRequests once
// there were too many.
func (a *Authenticator) refuse(ctx context.Context, client *store.Client, g ratelimit.Guess, why *Refusal) error {
	known := "" // the recorder takes as long for nobody
	if client != nil {
		known = client.ID
	}
	a.o.Recorder.RecordFailure(known, string(why.Cause), g.From)
	if wait := a.o.Limiter.RecordFailure(ctx, g); wait > 0 {
		return a.limited(wait, why)
	}
	a.o.Observe(ResultRefused, string(why.Cause))
	return errFailed.Because(why)
}

// limited returns TooManyRequests. why says what else is wrong.
func (a *Authenticator) limited(wait time.Duration, why *Refusal) error {
	why.Cause = refusal.CutOff
	a.o.Observe(ResultLimited, string(why.Cause))
	return errLimited.After(wait).Because(why)
}

// Read returns the credentials in the request. It counts those that cannot be read;
// see Presented.Credentials.
func (a *Authenticator) Read(p Presented) (Credentials, error) {
	c, err := p.Credentials()
	if is, ok := errors.AsType[*apierr.Error](err); ok && is.Code == apierr.InvalidClient {
		a.o.Observe(ResultRefused, is.Cause.Error())
	}
	return c, err
}
