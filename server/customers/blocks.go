package customers

import (
	"context"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/phonekeys"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/store"
)

// What refuses codes besides the limits of server/ratelimit, as the API, the log, the
// audit and the metrics name it.
const (
	blockedByRow  = "wrong_codes_in_row"
	blockedByDay  = "wrong_codes_per_day"
	blockedByMute = "muted"
)

// maxMuteWait is the longest wait that a caller is told while a customer is muted: as
// long as the limits make them wait, which look the same to them.
const maxMuteWait = wrongWindow

// block is what refuses the customer's codes. The zero block: nothing does.
type block struct {
	by    string
	until time.Time // zero: until an operator resets the codes
}

// CodeCounts reads and resets what the limits have counted; see server/ratelimit.
type CodeCounts interface {
	ReadCodes(ctx context.Context, of ratelimit.CodesOf) (ratelimit.CodesState, error)
	ResetCodes(ctx context.Context, of ratelimit.CodesOf) error
}

// codesOf returns whose codes the limits count. A number that cannot be decrypted is
// left out: no code is sent to it.
func codesOf(c store.Customer) ratelimit.CodesOf {
	of := ratelimit.CodesOf{CustomerID: c.ID, OrgID: c.OrgID}
	for _, number := range phonesOf(c) {
		if phonekeys.Readable(number) {
			of.Phones = append(of.Phones, number)
		}
	}
	return of
}

// guessBlock returns what the wrong codes refuse.
func guessBlock(g store.Guesses) block {
	switch {
	case g.InRow >= wrongInRow:
		return block{by: blockedByRow}
	case g.Today >= wrongPerDay:
		return block{blockedByDay, g.Since.Add(wrongWindow)}
	}
	return block{}
}

// muteBlock returns the block of a muted customer.
func muteBlock(c store.Customer, now time.Time) block {
	if c.MutedUntil != nil && now.Before(*c.MutedUntil) {
		return block{blockedByMute, *c.MutedUntil}
	}
	return block{}
}

// longestBlock returns the block that lasts longest.
func longestBlock(blocks ...block) (longest block) {
	for _, b := range blocks {
		if b.by != "" && (longest.by == "" || !longest.until.IsZero() && (b.until.IsZero() || b.until.After(longest.until))) {
			longest = b
		}
	}
	return longest
}

// refusal is the error of a request for a customer that is refused by a limit, or
// because the customer is not found. It tells the log which customer and limit that was.
type refusal struct {
	err               *apierr.Error
	customerID, limit string // limit: "" if none is
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// checkCodes returns an error if the customer has had too many wrong codes, or if an
// operator muted the customer. Errors: refusal.
func (t *Tokens) checkCodes(ctx context.Context, c store.Customer) error {
	g, err := t.o.Guesses.GetGuesses(ctx, c.ID, wrongWindow)
	if err != nil {
		return err
	}
	if err := t.guessError(c.ID, g); err != nil {
		return err
	}
	now := t.o.Now()
	if b := muteBlock(c, now); b.by != "" {
		return &refusal{errTooMany.After(min(max(b.until.Sub(now), time.Second), maxMuteWait)), c.ID, b.by}
	}
	return nil
}

// guessError returns the error for the wrong codes of a customer; nil: they may try.
func (t *Tokens) guessError(customerID string, g store.Guesses) error {
	switch b := guessBlock(g); b.by {
	case blockedByRow:
		return &refusal{errLocked, customerID, b.by}
	case blockedByDay:
		return &refusal{errWrongToday.After(max(b.until.Sub(t.o.Now()), time.Second)), customerID, b.by}
	}
	return nil
}

// reportOver tells who looks at limits that one which customers share is reached.
func (t *Tokens) reportOver(b Bearer, c store.Customer, limit string) {
	switch {
	case t.o.OverLimit == nil:
	case limit == ratelimit.CodesPerOrg:
		t.o.OverLimit(store.PrincipalOrg(c.OrgID), limit)
	case limit == ratelimit.CodesPerClient:
		t.o.OverLimit(store.PrincipalClient(b.Token.ClientID), limit)
	}
}

// recordLock audits and counts that the wrong code which g counts as the last one has
// locked the customer. Only one code is the last one of a row, or of a day.
func (t *Tokens) recordLock(ctx context.Context, b Bearer, c store.Customer, g store.Guesses) {
	if g.InRow != wrongInRow && g.Today != wrongPerDay {
		return
	}
	locked := guessBlock(g)
	t.o.Observe.CustomerLocked(locked.by)
	after := map[string]any{"blocked_by": locked.by}
	if !locked.until.IsZero() {
		after["codes_blocked_until"] = locked.until.UTC()
	}
	t.auditVerification(ctx, b, c, actionLocked, after, nil)
}
