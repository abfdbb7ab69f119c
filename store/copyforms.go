package store

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The forms of items that stores keep each in another way. All are version 1.

type useForm struct {
	V     int    `json:"v"`
	Count int64  `json:"n"`
	At    int64  `json:"at"` // Unix milliseconds
	IP    string `json:"ip,omitempty"`
}

type networksForm struct {
	V        int      `json:"v"`
	Networks []string `json:"networks"`
}

type challengeForm struct {
	V     int    `json:"v"`
	Proof []byte `json:"proof"`
	Tries int    `json:"tries"`
	End   int64  `json:"end"` // Unix milliseconds
}

type guessesForm struct {
	V     int   `json:"v"`
	Today int   `json:"today,omitempty"`
	Since int64 `json:"since,omitempty"` // Unix milliseconds
	InRow int   `json:"in_row,omitempty"`
}

type tokenKeyForm struct {
	V         int       `json:"v"`
	Key       []byte    `json:"key"`
	CreatedAt time.Time `json:"created_at"`
}

// UseItem returns the item of a use.
func UseItem(u Use) (Item, error) {
	return item(SectionUses, u.Owner+"/"+u.ID, useForm{jsonVersion, u.Count, u.LastAt.UnixMilli(), u.LastIP})
}

// UseOf reads what UseItem returned. Errors: ErrUnknownRecord.
func UseOf(i Item) (Use, error) {
	var f useForm
	err := unmarshal(i.Form, &f, &f.V)
	owner, id, ok := strings.Cut(i.Key, "/")
	if kind, _ := OwnerOf(owner); err == nil && (!ok || kind == "") {
		err = fmt.Errorf("%w: %q is no owner", ErrUnknownRecord, owner)
	}
	if err != nil {
		return Use{}, fmt.Errorf("use: %w", err)
	}
	return Use{Owner: owner, ID: id, Count: f.Count, LastAt: time.UnixMilli(f.At).UTC(), LastIP: f.IP}, nil
}

// NetworksItem returns the item of a client's networks.
func NetworksItem(clientID string, networks []string) (Item, error) {
	return item(SectionNetworks, clientID, networksForm{jsonVersion, networks})
}

// NetworksOf reads what NetworksItem returned. Errors: ErrUnknownRecord.
func NetworksOf(i Item) ([]string, error) {
	var f networksForm
	if err := unmarshal(i.Form, &f, &f.V); err != nil {
		return nil, fmt.Errorf("networks: %w", err)
	}
	return f.Networks, nil
}

// ChallengeItem returns the item of a challenge.
func ChallengeItem(d Digest, c Challenge) (Item, error) {
	return item(SectionChallenges, string(d[:]), challengeForm{jsonVersion, c.Proof[:], c.Tries, c.ExpiresAt.UnixMilli()})
}

// ChallengeOf reads what ChallengeItem returned. Errors: ErrUnknownRecord.
func ChallengeOf(i Item) (d Digest, c Challenge, err error) {
	var f challengeForm
	if err = unmarshal(i.Form, &f, &f.V); err == nil && (copy(d[:], i.Key) != len(i.Key) || len(i.Key) != len(d) || copy(c.Proof[:], f.Proof) != len(c.Proof)) {
		err = fmt.Errorf("%w: a digest has another length", ErrUnknownRecord)
	}
	if err != nil {
		return d, c, fmt.Errorf("challenge: %w", err)
	}
	c.Tries, c.ExpiresAt = f.Tries, time.UnixMilli(f.End).UTC()
	return d, c, nil
}

// GuessesItem returns the item of a customer's counts.
func GuessesItem(customerID string, g Guesses) (Item, error) {
	f := guessesForm{V: jsonVersion, Today: g.Today, InRow: g.InRow}
	if g.Today > 0 {
		f.Since = g.Since.UnixMilli()
	}
	return item(SectionGuesses, customerID, f)
}

// GuessesOf reads what GuessesItem returned. Errors: ErrUnknownRecord.
func GuessesOf(i Item) (Guesses, error) {
	var f guessesForm
	if err := unmarshal(i.Form, &f, &f.V); err != nil {
		return Guesses{}, fmt.Errorf("guesses: %w", err)
	}
	g := Guesses{Today: f.Today, InRow: f.InRow}
	if f.Today > 0 {
		g.Since = time.UnixMilli(f.Since).UTC()
	}
	return g, nil
}

// TokenKeyItem returns the item of a key.
func TokenKeyItem(k TokenKey) (Item, error) {
	return item(SectionTokenKeys, strconv.Itoa(int(k.ID)), tokenKeyForm{jsonVersion, k.Key, k.CreatedAt})
}

// TokenKeyOf reads what TokenKeyItem returned. Errors: ErrUnknownRecord.
func TokenKeyOf(i Item) (TokenKey, error) {
	var f tokenKeyForm
	err := unmarshal(i.Form, &f, &f.V)
	id, notNumber := strconv.ParseUint(i.Key, 10, 8)
	if err == nil && (notNumber != nil || len(f.Key) == 0) {
		err = fmt.Errorf("%w: id %q", ErrUnknownRecord, i.Key)
	}
	if err != nil {
		return TokenKey{}, fmt.Errorf("token key: %w", err)
	}
	return TokenKey{ID: uint8(id), Key: f.Key, CreatedAt: f.CreatedAt}, nil
}

// TokenItem returns the item of a token.
func TokenItem(d Digest, t *Token) Item {
	return Item{Section: SectionTokens, Key: string(d[:]), Form: AppendToken(nil, t)}
}

// TokenOf reads what TokenItem returned. Errors: ErrUnknownRecord.
func TokenOf(i Item) (d Digest, t Token, err error) {
	if len(i.Key) != len(d) {
		return d, t, fmt.Errorf("token: %w: its digest has another length", ErrUnknownRecord)
	}
	copy(d[:], i.Key)
	t, err = DecodeToken(i.Form)
	return d, t, err
}

func item(s Section, key string, form any) (Item, error) {
	b, err := json.Marshal(form)
	return Item{Section: s, Key: key, Form: b}, err
}

// Name returns the key in a form for people: digests as hexadecimal numbers.
func (i Item) Name() string {
	if i.Section == SectionTokens || i.Section == SectionChallenges {
		return hex.EncodeToString([]byte(i.Key))
	}
	return i.Key
}

// Check returns an error unless the item can be decoded completely, and is what
// its key says. Errors: ErrUnknownRecord.
func (i Item) Check() error {
	var err error
	switch i.Section {
	case SectionTokenKeys:
		_, err = TokenKeyOf(i)
	case SectionUses:
		_, err = UseOf(i)
	case SectionNetworks:
		_, err = NetworksOf(i)
	case SectionGuesses:
		_, err = GuessesOf(i)
	case SectionChallenges:
		_, _, err = ChallengeOf(i)
	case SectionTokens:
		_, _, err = TokenOf(i)
	case SectionAudit, SectionAuditTraffic:
		_, err = UnmarshalAudit(i.Form)
		if _, notPosition := ParsePosition(i.Key); err == nil && notPosition != nil {
			err = fmt.Errorf("%w: %w", ErrUnknownRecord, notPosition)
		}
	default:
		_, err = i.RecordVersion()
	}
	return err
}

// RecordVersion returns the version of the record in the item. Errors:
// ErrUnknownRecord, also if the id of the record is not the key, or if the section
// has no records.
func (i Item) RecordVersion() (uint64, error) {
	switch i.Section {
	case SectionOrgs:
		return recordVersion(OrgKind, i)
	case SectionClients:
		return recordVersion(ClientKind, i)
	case SectionCustomers:
		return recordVersion(CustomerKind, i)
	case SectionPartners:
		return recordVersion(PartnerKind, i)
	case SectionPartnerTokens:
		return recordVersion(PartnerTokenKind, i)
	case SectionAPIKeys:
		return recordVersion(APIKeyKind, i)
	case SectionGrants:
		return recordVersion(GrantKind, i)
	case SectionSigningKeys:
		return recordVersion(SigningKeysKind, i)
	}
	return 0, fmt.Errorf("%w: section %q", ErrUnknownRecord, i.Section)
}

func recordVersion[R any](k Kind[R], i Item) (uint64, error) {
	r, err := k.Unmarshal(i.Form)
	if err != nil {
		return 0, err
	}
	id, version := k.identify(&r)
	if id != i.Key {
		return 0, fmt.Errorf("%s record: %w: it is that of %q", k.Name, ErrUnknownRecord, id)
	}
	return *version, nil
}
