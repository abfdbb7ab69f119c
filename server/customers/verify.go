package customers

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/phone"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/server/senders"
	"github.com/grantd/grantd/store"
)

// Bounds of a code (contract §3).
const (
	codeDigits = 6
	codeLife   = 10 * time.Minute
	codeTries  = 5
	appHashLen = 11
)

// scopeVerify is what asking for a code needs.
const scopeVerify = "customers"

// Verification is what a caller gives for a code.
type Verification struct {
	Channel  string  `json:"channel"`
	Phone    *Phone  `json:"phone"`
	AppHash  *string `json:"appHash"`
	Language *string `json:"language"`
}

// Phone is a number as contract §3 has it.
type Phone struct {
	CountryCode string `json:"countryCode"`
	Number      string `json:"number"`
}

var (
	errChannel     = bad("channel", "channel is sms or call")
	errCodeLang    = bad("language", "language is en or es")
	errPhone       = bad("phone", `phone is an object such as {"countryCode":"1","number":"5555550136"}`)
	errPhoneOnFile = bad("phone", "the phone is not on file: it must be one of the authorized users of a business customer")
	errAppHash     = bad("appHash", "appHash is 11 characters of A-Z a-z 0-9 + / for an sms; leave it out for a call")
	errTooMany     = apierr.New(apierr.TooManyRequests, "too many codes: wait as long as Retry-After says")
	errNotSent     = apierr.New(apierr.NotSent, "no code could be sent: try again")
)

// SendCode sends the customer a code, and answers the verification token that
// has to come back with it. The bearer needs the scope customers.
// Errors: apierr.InsufficientScope, NotFound, InvalidRequest, TooManyRequests,
// AccessDenied (locked), NotSent; store.ErrUnavailable.
func (t *Tokens) SendCode(ctx context.Context, b Bearer, customerID string, v Verification) (string, error) {
	if err := b.holds(scopeVerify); err != nil {
		return "", err
	}
	c, org, err := t.customer(ctx, b, customerID)
	if err != nil {
		return "", err
	}
	m, err := t.message(c, org, v)
	if err != nil {
		return "", err
	}
	if err := t.mayGuess(ctx, c.ID); err != nil {
		return "", err
	}
	wait, err := t.o.Limit.Take(ctx, ratelimit.For{Phone: m.Phone, CustomerID: c.ID, ClientID: b.Token.ClientID, OrgID: c.OrgID})
	if err != nil {
		return "", err
	}
	if wait > 0 {
		return "", errTooMany.After(wait)
	}
	token, err := t.challenge(ctx, b, c, m)
	t.auditVerification(ctx, b, c, actionCode, map[string]any{"channel": m.Channel, "phone": phone.Mask(m.Phone)}, err)
	return token, err
}

// challenge keeps the challenge, then sends its code. One whose code was not
// sent is taken back.
func (t *Tokens) challenge(ctx context.Context, b Bearer, c store.Customer, m senders.Message) (string, error) {
	token := credential.NewVerificationToken(t.o.Environment)
	digest := sha256.Sum256([]byte(token))
	m.ExpiresAt = t.o.Now().UTC().Add(codeLife)
	m.ID = hex.EncodeToString(digest[:16])
	m.Code = t.o.SandboxCode
	if m.Code == "" {
		m.Code = newCode()
	}
	err := t.o.Challenges.PutChallenge(ctx, digest, store.Challenge{
		Proof: proof(token, b.Token.ClientID, c, m.Code), Tries: codeTries, ExpiresAt: m.ExpiresAt,
	})
	if err != nil {
		return "", err
	}
	if t.o.SandboxCode != "" {
		return token, nil // nothing is sent
	}
	began := t.o.Now()
	err = t.o.Sender.Send(ctx, m)
	t.o.Observe.CodeSent(string(m.Channel), err == nil, t.o.Now().Sub(began))
	if err == nil {
		return token, nil
	}
	if dropped := t.o.Challenges.DropChallenge(context.WithoutCancel(ctx), digest); dropped != nil {
		err = fmt.Errorf("%w; the challenge stays until it expires: %w", err, dropped)
	}
	return "", errNotSent.Because(err)
}

// message answers what is to be sent, but for the code.
func (t *Tokens) message(c store.Customer, org store.Org, v Verification) (senders.Message, error) {
	m := senders.Message{
		Channel: senders.Channel(v.Channel), Phone: c.Phone, Name: org.Name, Language: view(c).Language,
		OrgID: c.OrgID, CustomerID: c.ID,
	}
	if !t.o.Live {
		m.Name = t.o.ProductName
	}
	if m.Channel != senders.SMS && m.Channel != senders.Call {
		return m, errChannel
	}
	if v.Language != nil {
		if m.Language = *v.Language; !slices.Contains(Languages, m.Language) {
			return m, errCodeLang
		}
	}
	if v.AppHash != nil {
		if m.AppHash = *v.AppHash; m.Channel != senders.SMS || !validAppHash(m.AppHash) {
			return m, errAppHash
		}
	}
	if v.Phone != nil {
		number, err := phone.Join(v.Phone.CountryCode, v.Phone.Number)
		if err != nil {
			return m, errPhone
		}
		if c.Type != store.Business || !slices.ContainsFunc(c.AuthorizedUsers, func(u store.AuthorizedUser) bool { return u.Phone == number }) {
			return m, errPhoneOnFile
		}
		m.Phone = number
	}
	return m, nil
}

// validAppHash: base64 of a hash, as Android's SMS Retriever makes it.
func validAppHash(h string) bool {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return len(h) == appHashLen && strings.Trim(h, alphabet) == ""
}

// newCode answers six digits, each as likely as any other.
func newCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil { // crypto/rand does not fail
		panic(err)
	}
	return fmt.Sprintf("%0*d", codeDigits, n)
}

// proof binds a code to whom it was asked for by whom, and to the record with
// the numbers on file then. Only who has the verification token can make it, so a copy of the
// store helps nobody to guess.
func proof(token, clientID string, c store.Customer, code string) store.Digest {
	m := hmac.New(sha256.New, []byte(token))
	for _, part := range []string{code, c.ID, c.OrgID, clientID, strconv.FormatUint(c.Version, 10)} {
		fmt.Fprintf(m, "%d:%s", len(part), part)
	}
	return store.Digest(m.Sum(nil))
}

var (
	errVerification = apierr.New(apierr.InvalidVerification, "the verification is not good: the code is wrong, used or expired, or the verification is not of this customer and client").At("verificationCode")
	errCode         = bad("verificationCode", "verificationCode is six digits from 0 to 9")
	errWrongToday   = apierr.New(apierr.TooManyRequests, "too many wrong codes for this customer: wait as long as Retry-After says")
	errLocked       = apierr.New(apierr.AccessDenied, "codes are locked for this customer after 100 wrong ones in a row: an operator must reset them")
)

// mayGuess refuses a code for a customer who may not use it.
func (t *Tokens) mayGuess(ctx context.Context, customerID string) error {
	g, err := t.o.Guesses.GetGuesses(ctx, customerID, wrongWindow)
	if err != nil {
		return err
	}
	return t.refusal(g)
}

func (t *Tokens) refusal(g store.Guesses) error {
	switch {
	case g.InRow >= wrongInRow:
		return errLocked
	case g.Today >= wrongPerDay:
		return errWrongToday.After(max(g.Since.Add(wrongWindow).Sub(t.o.Now()), time.Second))
	}
	return nil
}

// consumeCode uses the verification up. The guess is counted as wrong before anybody
// looks at it, so that no number of callers at once gets more guesses. What
// fails later has used the code all the same.
func (t *Tokens) consumeCode(ctx context.Context, b Bearer, c store.Customer, token, code string) error {
	if len(code) != codeDigits || strings.Trim(code, "0123456789") != "" {
		return errCode
	}
	g, taken, err := t.o.Guesses.TakeGuess(ctx, c.ID, bounds)
	if err != nil {
		return err
	}
	if !taken {
		return t.refusal(g)
	}
	err = t.o.Challenges.TryChallenge(ctx, sha256.Sum256([]byte(token)), proof(token, b.Token.ClientID, c, code))
	switch {
	case err == nil:
		return t.o.Guesses.ReturnGuess(context.WithoutCancel(ctx), c.ID, g, true)
	case isAbsent(err): // no code was guessed at
		if err := t.o.Guesses.ReturnGuess(context.WithoutCancel(ctx), c.ID, g, false); err != nil {
			return err
		}
		return errVerification
	case isWrong(err):
		return errVerification.Because(err)
	}
	return err
}
