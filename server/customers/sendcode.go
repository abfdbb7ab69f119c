package customers

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/phone"
	"github.com/grantd/grantd/server/phonekeys"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/server/senders"
	"github.com/grantd/grantd/store"
)

// Bounds of a code (APP_GUIDE.md).
const (
	codeDigits = 6
	codeLife   = 10 * time.Minute
	codeTries  = 5
	appHashLen = 11
)

// scopeVerify is the scope that a bearer needs to have a code sent.
const scopeVerify = "customers"

// Verification is what a caller sends to have a code sent.
type Verification struct {
	Channel  string  `json:"channel"`
	Phone    *Phone  `json:"phone"`
	AppHash  *string `json:"appHash"`
	Language *string `json:"language"`
	// User is the id of the authorized user whom the code is for; nil: none is named.
	User *string `json:"-"`
}

// Phone is a phone number in the form that apps send.
type Phone struct {
	CountryCode string `json:"countryCode"`
	Number      string `json:"number"`
}

var (
	errChannel     = apierr.Member("channel", "channel is sms or call")
	errPhone       = apierr.Member("phone", `phone is an object such as {"countryCode":"1","number":"5555550136"}`)
	errPhoneOnFile = apierr.Member("phone", "the phone is not on file: it must be one of the authorized users of a business customer")
	errAppHash     = apierr.Member("appHash", "appHash is 11 characters of A-Z a-z 0-9 + / for an sms; leave it out for a call")
	errTooMany     = apierr.New(apierr.TooManyRequests, "too many codes: wait as long as Retry-After says")
	errNoCodes     = apierr.New(apierr.NoVerification, "this server sends no codes, so there are no tokens here with scopes that need one: ask its operator")
	errNotSent     = apierr.New(apierr.NotSent, "no code could be sent: try again")
)

// SendCode sends the customer a code, and returns the verification token that
// the caller must send back with it. The bearer needs the scope customers.
// Errors: apierr.InsufficientScope, NotFound, InvalidRequest, TooManyRequests,
// AccessDenied (locked), NoVerification, NotSent; store.ErrUnavailable.
func (t *Tokens) SendCode(ctx context.Context, b Bearer, customerID string, v Verification) (string, error) {
	if err := b.requireScope(scopeVerify); err != nil {
		return "", err
	}
	c, org, err := t.findCustomer(ctx, b, customerID)
	if err != nil {
		return "", err
	}
	if err := t.requireSender(); err != nil {
		return "", err
	}
	m, err := t.buildMessage(b, c, org, v)
	if err != nil {
		return "", err
	}
	if err := t.checkCodes(ctx, c); err != nil {
		return "", err
	}
	over, err := t.o.Limit.TakeCode(ctx, ratelimit.CodeRequest{Phone: m.Phone, CustomerID: c.ID, ClientID: b.Token.ClientID, OrgID: c.OrgID})
	if err != nil {
		return "", err
	}
	if over.Wait > 0 {
		t.reportOver(b, c, over.Limit)
		return "", &refusal{errTooMany.After(over.Wait), c.ID, over.Limit}
	}
	token, err := t.sendChallenge(ctx, b, c, m)
	t.auditVerification(ctx, b, c, actionCode, map[string]any{"channel": m.Channel, "phone": phone.Mask(m.Phone), "language": m.Language}, err)
	return token, err
}

// errNoSender is for the log: callers are not told how this server is configured.
var errNoSender = errors.New("customers.sender is none, the default in live: set it to webhook or twilio to send codes")

// requireSender returns an error if no customer can ever get a code.
// Errors: apierr.NoVerification.
func (t *Tokens) requireSender() *apierr.Error {
	if t.o.Sender == nil && t.o.SandboxCode == "" {
		return errNoCodes.Because(errNoSender)
	}
	return nil
}

// outgoing is a message with its recipient; see recipientOf.
type outgoing struct {
	senders.Message
	recipient byte
}

// sendChallenge stores a challenge, then sends its code. If the code could not be
// sent, it drops the challenge again.
func (t *Tokens) sendChallenge(ctx context.Context, b Bearer, c store.Customer, m outgoing) (string, error) {
	token := credential.NewVerificationToken(t.o.Environment, m.recipient)
	digest := sha256.Sum256([]byte(token))
	m.ExpiresAt = t.o.Now().UTC().Add(codeLife)
	m.ID = hex.EncodeToString(digest[:16])
	m.Code = t.o.SandboxCode
	if m.Code == "" {
		m.Code = newCode()
	}
	err := t.o.Challenges.PutChallenge(ctx, digest, store.Challenge{
		Proof: computeProof(token, b.Token.ClientID, c, m.Code), Tries: codeTries, ExpiresAt: m.ExpiresAt,
	})
	if err != nil {
		return "", err
	}
	if t.o.SandboxCode != "" {
		return token, nil // nothing is sent
	}
	began := t.o.Now()
	err = t.o.Sender.Send(ctx, m.Message)
	t.o.Observe.CodeSent(string(m.Channel), err == nil, t.o.Now().Sub(began))
	if err == nil {
		return token, nil
	}
	if dropped := t.o.Challenges.DropChallenge(context.WithoutCancel(ctx), digest); dropped != nil {
		err = fmt.Errorf("%w; the challenge stays until it expires: %w", err, dropped)
	}
	return "", errNotSent.Because(err)
}

// buildMessage returns the message to send, without its id, code and expiry.
// Errors: apierr.InvalidRequest, NotSent.
func (t *Tokens) buildMessage(b Bearer, c store.Customer, org store.Org, v Verification) (outgoing, error) {
	m := outgoing{Message: senders.Message{
		Channel: senders.Channel(v.Channel), Phone: c.Phone, Name: org.Name, Language: view(c).Language,
		OrgID: c.OrgID, CustomerID: c.ID,
	}}
	if !t.o.Live {
		m.Name = t.o.ProductName
	}
	if m.Channel != senders.SMS && m.Channel != senders.Call {
		return m, errChannel
	}
	if v.Language != nil {
		if m.Language = *v.Language; !slices.Contains(languages, m.Language) {
			return m, errLanguage
		}
	}
	if v.AppHash != nil {
		if m.AppHash = *v.AppHash; m.Channel != senders.SMS || !validAppHash(m.AppHash) {
			return m, errAppHash
		}
	}
	if err := t.address(&m, b, c, v); err != nil {
		return m, err
	}
	if !phonekeys.Readable(m.Phone) {
		return m, errNotSent.Because(t.o.Customers.Problem(c))
	}
	return m, nil
}

// address sets the number that the code goes to, if that is not the customer's own:
// that of the authorized user whom the request names or to whom the bearer token
// belongs, or the number in the request. Errors: apierr.InvalidRequest, NotSent.
func (t *Tokens) address(m *outgoing, b Bearer, c store.Customer, v Verification) error {
	user, err := b.findUser(c, v.User)
	if err != nil {
		return err
	}
	if user >= 0 {
		m.Phone, m.recipient = c.AuthorizedUsers[user].Phone, byte(user+1)
	}
	if v.Phone == nil {
		return nil
	}
	number, err := phone.Join(v.Phone.CountryCode, v.Phone.Number)
	switch {
	case err != nil:
		return errPhone
	case user >= 0 && number != m.Phone:
		return errUserPhone
	case user >= 0:
		return nil
	}
	if user, err = t.findOnFile(c, number); err != nil {
		return err
	}
	m.Phone, m.recipient = number, byte(user+1)
	return nil
}

// findOnFile returns the index of the authorized user of a business who has the
// number. While one of their numbers cannot be decrypted, it does not say that a
// number is not on file. Errors: apierr.InvalidRequest, NotSent.
func (t *Tokens) findOnFile(c store.Customer, number string) (int, error) {
	if c.Type != store.Business {
		return -1, errPhoneOnFile
	}
	hidden := false
	for i, u := range c.AuthorizedUsers {
		if u.Phone == number {
			return i, nil
		}
		hidden = hidden || !phonekeys.Readable(u.Phone)
	}
	if hidden {
		return -1, errNotSent.Because(t.o.Customers.Problem(c))
	}
	return -1, errPhoneOnFile
}

// validAppHash reports whether h is the base64 of a hash, as Android's SMS
// Retriever expects it.
func validAppHash(h string) bool {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return len(h) == appHashLen && strings.Trim(h, alphabet) == ""
}

// newCode returns six random digits. All codes are equally likely.
func newCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil { // crypto/rand does not fail
		panic(err)
	}
	return fmt.Sprintf("%0*d", codeDigits, n)
}

// computeProof ties a code to the customer and the client that requested it,
// and to the version of the customer's record, which holds the numbers on file.
// Computing it requires the verification token, so a copy of the store does not
// help to guess the code.
func computeProof(token, clientID string, c store.Customer, code string) store.Digest {
	m := hmac.New(sha256.New, []byte(token))
	parts := []string{code, c.ID, c.OrgID, clientID, strconv.FormatUint(c.Version, 10)}
	if hasUserIDs(c) { // a replica of an older version made tokens without a recipient
		parts = append(parts, strconv.Itoa(int(credential.Recipient(token))))
	}
	for _, part := range parts {
		fmt.Fprintf(m, "%d:%s", len(part), part)
	}
	return store.Digest(m.Sum(nil))
}
