package guard

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unique"

	"github.com/grantd/grantd/scopes/endpoints"
)

// Limits of an introspection response. What grantd sends is far below them.
const (
	maxResponse = 64 << 10 // bytes: the core reads no more
	maxDepth    = 8        // objects and lists within one another
	maxVoidKeys = 64
)

// follow is what a cache that follows revocations needs besides the token
// (follow=true). It is empty for an inactive token, and if the server sent none.
type follow struct {
	keys     []string // void keys of everything that can end the token
	position string   // of the feed, at which the token was active
	// age is how old the server's knowledge of the feed was; known: it said so.
	age   time.Duration
	known bool
}

// inactiveRaw is all that a caller learns about a token that is not active
// (RFC 7662 §2.2).
const inactiveRaw = `{"active":false}`

// parseToken reads an introspection response (RFC 7662 §2.2). It is strict, because a
// member that is read wrongly could turn a restricted token into an unrestricted one:
// a name that is repeated at any level, a member of the wrong type, or a restriction
// that cannot be read is an error, after which nobody knows whether the token may be
// used. Unknown members are ignored, and stay in Raw. The token keeps nothing of body,
// but follow does.
func parseToken(body []byte) (*Token, follow, error) {
	if len(body) > maxResponse {
		return nil, follow{}, fmt.Errorf("introspection response: longer than %d bytes", maxResponse)
	}
	r := reading{token: &Token{}, raw: make([]byte, 1, len(body)+1)}
	r.raw[0] = '{'
	err := scanDocument(string(body), r.member)
	if err == nil {
		err = r.finish()
	}
	if err != nil {
		return nil, follow{}, fmt.Errorf("introspection response: %w", err)
	}
	return r.token, r.follow, nil
}

// reading is a response that is being read.
type reading struct {
	token  *Token
	follow follow
	raw    []byte // of Token.Raw
	active bool   // the member active was there
}

// member reads one member of the response.
func (r *reading) member(name, value string) error {
	err := r.read(name, value)
	if err != nil {
		return fmt.Errorf("%s: %w", strconv.QuoteToASCII(name), err)
	}
	return nil
}

func (r *reading) read(name, value string) (err error) {
	switch name {
	case "void_keys":
		r.follow.keys, err = readTexts(value)
		return err
	case "feed_position":
		r.follow.position, err = readText(value)
		return err
	case "feed_age_ms":
		r.follow.age, err = readAge(value)
		r.follow.known = err == nil
		return err
	case "active":
		r.active = true
		r.token.Active, err = readBool(value)
	default:
		err = r.token.readMember(name, value)
	}
	if len(r.raw) > 1 {
		r.raw = append(r.raw, ',')
	}
	r.raw = append(append(appendQuoted(r.raw, name), ':'), value...)
	return err
}

// readMember reads a member that describes an active token.
func (t *Token) readMember(name, value string) (err error) {
	if into := t.textOf(name); into != nil {
		*into, err = readText(value)
		return err
	}
	if into := t.timeOf(name); into != nil {
		*into, err = readTime(value)
		return err
	}
	switch name {
	case "scope":
		t.Scopes, err = readScope(value)
	case "aud":
		t.Audience, err = readAudience(value)
	case "source_ips":
		t.SourceIPs, err = readRestriction(value)
	case "endpoints":
		t.Endpoints, err = readRestriction(value)
	case "amr":
		t.AMR, err = readTexts(value)
	case "act":
		t.Actor, err = readActor(value)
	case "resources":
		t.Resources, err = readResources(value)
	case "cnf": // RFC 7800 §3.1, whatever it binds the token to
		t.Bound = true
	case "token_type": // "DPoP" for a token that is bound to a key (RFC 9449 §6.2)
		kind, fault := readText(value)
		t.Bound, err = t.Bound || !strings.EqualFold(kind, "Bearer"), fault
	}
	return err
}

// textOf returns where a member that is a text belongs, or nil.
func (t *Token) textOf(name string) *string {
	switch name {
	case "sub":
		return &t.Subject
	case "client_id":
		return &t.ClientID
	case "token_use":
		return &t.Use
	case "org_id":
		return &t.OrgID
	case "customer_id":
		return &t.CustomerID
	case "authorized_user_id":
		return &t.AuthorizedUserID
	case "partner_id":
		return &t.PartnerID
	case "iss":
		return &t.Issuer
	case "jti":
		return &t.JTI
	}
	return nil
}

// timeOf returns where a member that is a time belongs, or nil.
func (t *Token) timeOf(name string) *time.Time {
	switch name {
	case "exp":
		return &t.ExpiresAt
	case "iat":
		return &t.IssuedAt
	case "auth_time":
		return &t.AuthTime
	}
	return nil
}

// finish checks what is needed of the whole response.
func (r *reading) finish() error {
	t := r.token
	switch {
	case !r.active:
		return errors.New(`"active" is missing`)
	case !t.Active: // nothing else that it says counts
		r.token, r.follow = &Token{Raw: []byte(inactiveRaw)}, follow{}
		return nil
	case t.Use == "":
		return errors.New(`"token_use" is missing: the server is not grantd, or is too old`)
	case t.Subject == "":
		return errors.New(`"sub" is missing`)
	case t.ExpiresAt.IsZero():
		return errors.New(`"exp" is missing`)
	case !r.follow.valid():
		return errors.New(`"void_keys", "feed_position" and "feed_age_ms" are not those of a feed`)
	}
	t.Raw = bytes.Clone(append(r.raw, '}')) // without the room that it grew into
	t.keepTexts()
	var err error
	if t.sources, err = parseRanges(t.SourceIPs); err != nil {
		return fmt.Errorf(`"source_ips": %w`, err)
	}
	if t.endpoints, err = endpoints.Parse(t.Endpoints); err != nil {
		return fmt.Errorf(`"endpoints": %w`, err)
	}
	t.Endpoints = t.endpoints.Patterns() // shared with other tokens
	return nil
}

// keepTexts copies the texts out of the response, of which they are parts. Tokens share
// those that are equal in many of them: a cache holds thousands. The others of a token
// are in one piece of memory.
func (t *Token) keepTexts() {
	for _, text := range [...]*string{&t.ClientID, &t.Use, &t.OrgID, &t.PartnerID, &t.Issuer} {
		*text = shared(*text)
	}
	for _, list := range [...][]string{t.Scopes, t.Audience, t.AMR} {
		for i := range list {
			list[i] = shared(list[i])
		}
	}
	if t.Use == UseClient {
		t.Subject = shared(t.Subject)
	}
	own := [...]*string{&t.JTI, &t.CustomerID, &t.AuthorizedUserID, &t.Subject, nil}
	texts := own[:len(own)-1]
	if t.Use == UseClient {
		texts = texts[:len(texts)-1]
	}
	if t.Actor != nil {
		texts = append(texts, &t.Actor.Subject)
	}
	keep(texts...)
	for i := range t.SourceIPs {
		keep(&t.SourceIPs[i])
	}
	for i := range t.Resources {
		r := &t.Resources[i]
		r.Type = shared(r.Type)
		for i := range r.IDs {
			keep(&r.IDs[i])
		}
	}
}

// shared returns the text, which is in memory once.
func shared(text string) string { return unique.Make(text).Value() }

// keep copies texts into one piece of memory.
func keep(texts ...*string) {
	length := 0
	for _, text := range texts {
		length += len(*text)
	}
	if length == 0 {
		return
	}
	var b strings.Builder
	b.Grow(length)
	for _, text := range texts {
		b.WriteString(*text)
	}
	all := b.String()
	for _, text := range texts {
		*text, all = all[:len(*text)], all[len(*text):]
	}
}

// valid reports whether there is either all that a cache needs, or nothing. The core
// reads the keys and the position.
func (f follow) valid() bool {
	follows := len(f.keys) != 0
	return follows == (f.position != "") && follows == f.known && len(f.keys) <= maxVoidKeys
}
