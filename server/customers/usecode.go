package customers

import (
	"context"
	"crypto/sha256"
	"strings"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/store"
)

var (
	errVerification = apierr.New(apierr.InvalidVerification, "the verification is not valid: the code is wrong, used or expired, or the verification was made for another customer, authorized user or client").At("verificationCode")
	errCode         = apierr.Member("verificationCode", "verificationCode is six digits from 0 to 9")
	errWrongToday   = apierr.New(apierr.TooManyRequests, "too many wrong codes for this customer: wait as long as Retry-After says")
	errLocked       = apierr.New(apierr.AccessDenied, "codes are locked for this customer after 100 wrong ones in a row: an operator must reset them")
)

// consumeCode uses up the verification. It counts the guess as wrong before it
// looks at the code, so that many callers at once get no more guesses than a
// single one. The code stays used even if a later step fails.
func (t *Tokens) consumeCode(ctx context.Context, b Bearer, c store.Customer, token, code string) error {
	if len(code) != codeDigits || strings.Trim(code, "0123456789") != "" {
		return errCode
	}
	g, taken, err := t.o.Guesses.TakeGuess(ctx, c.ID, bounds)
	if err != nil {
		return err
	}
	if !taken {
		return t.guessError(c.ID, g)
	}
	err = t.o.Challenges.TryChallenge(ctx, sha256.Sum256([]byte(token)), computeProof(token, b.Token.ClientID, c, code))
	switch {
	case err == nil:
		return t.o.Guesses.ReturnGuess(context.WithoutCancel(ctx), c.ID, g, true)
	case isAbsent(err): // there was no code to guess
		if err := t.o.Guesses.ReturnGuess(context.WithoutCancel(ctx), c.ID, g, false); err != nil {
			return err
		}
		return errVerification
	}
	t.recordLock(context.WithoutCancel(ctx), b, c, g)
	if isWrong(err) {
		return errVerification.Because(err)
	}
	return err
}
