package store

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// The binary form of a token record, version 1:
//
//	version, use: one byte each
//	issued at (Unix seconds), lifetime (seconds), position time, position
//	sequence: unsigned varints
//	client id, secret id, scopes: length (varint) and bytes
//	then fields: tag (one byte), length (varint), bytes. A list repeats its
//	tag for each element. A resource is its type and its ids, each as length
//	and bytes
//
// A tag with the high bit is critical: a reader that does not know it must
// treat the token as inactive. Other unknown tags are skipped.
const tokenVersion = 1

const (
	tagOrg        = 0x01
	tagCustomer   = 0x02
	tagPartner    = 0x03
	tagPartnerTID = 0x04
	tagRevokedBy  = 0x05
	tagUpgradable = 0x06
	tagAuthTime   = 0x07
	tagAMR        = 0x08
	tagUser       = 0x09

	critical     = 0x80
	tagAudience  = critical | 0x01
	tagSourceIP  = critical | 0x02
	tagEndpoint  = critical | 0x03
	tagRevokedAt = critical | 0x05
	tagParent    = critical | 0x06 // a reader that skipped it would miss a void
	// 0x04 was a resource of another form. An older reader must not mistake one
	// form for the other.
	tagResource = critical | 0x07
	tagKey      = critical | 0x08 // a reader that skipped it would miss a void

	maxTokenRecord = 64 << 10
)

var useCodes = map[TokenUse]byte{UseClient: 1, UseCustomer: 2, UseOnBehalf: 3, UsePartner: 4, UseKey: 5}
var useNames = [...]TokenUse{1: UseClient, 2: UseCustomer, 3: UseOnBehalf, 4: UsePartner, 5: UseKey}

// AppendToken appends the binary form of t to b. Times are truncated to seconds.
func AppendToken(b []byte, t *Token) []byte {
	b = append(b, tokenVersion, useCodes[t.Use])
	iat := t.IssuedAt.Unix()
	b = binary.AppendUvarint(b, uint64(iat))
	b = binary.AppendUvarint(b, uint64(t.ExpiresAt.Unix()-iat))
	b = binary.AppendUvarint(b, t.Position.Time)
	b = binary.AppendUvarint(b, t.Position.Seq)
	b = appendString(b, t.ClientID)
	b = appendString(b, t.SecretID)
	b = appendString(b, t.Scopes)
	for _, f := range [...]struct {
		tag   byte
		value string
	}{{tagOrg, t.OrgID}, {tagCustomer, t.CustomerID}, {tagPartner, t.PartnerID}, {tagPartnerTID, t.PartnerTID},
		{tagUpgradable, t.Upgradable}, {tagUser, t.AuthorizedUser}, {tagKey, t.KeyID}} {
		if f.value != "" {
			b = appendString(append(b, f.tag), f.value)
		}
	}
	b = appendList(b, tagParent, t.Parents)
	b = appendList(b, tagAudience, t.Audience)
	b = appendList(b, tagSourceIP, t.SourceIPs)
	b = appendList(b, tagEndpoint, t.Endpoints)
	for _, r := range t.Resources {
		b = appendResource(b, r)
	}
	if !t.AuthTime.IsZero() {
		b = appendTime(b, tagAuthTime, t.AuthTime)
	}
	b = appendList(b, tagAMR, t.AMR)
	if t.Revoked != nil {
		b = appendTime(b, tagRevokedAt, t.Revoked.At)
		b = appendString(append(b, tagRevokedBy), t.Revoked.By)
	}
	return b
}

// appendTime appends a field in Unix seconds.
func appendTime(b []byte, tag byte, at time.Time) []byte {
	var n [binary.MaxVarintLen64]byte
	return appendString(append(b, tag), string(binary.AppendUvarint(n[:0], uint64(at.Unix()))))
}

func appendResource(b []byte, r Resource) []byte {
	value := appendString(nil, r.Type)
	for _, id := range r.IDs {
		value = appendString(value, id)
	}
	return appendString(append(b, tagResource), string(value))
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendList(b []byte, tag byte, list []string) []byte {
	for _, s := range list {
		b = appendString(append(b, tag), s)
	}
	return b
}

// DecodeToken reads what AppendToken wrote. Errors wrap ErrUnknownRecord: no
// part of a record is used unless all of it can be read.
func DecodeToken(b []byte) (Token, error) {
	r := reader{rest: string(b), ok: len(b) >= 2 && len(b) <= maxTokenRecord}
	if !r.ok || b[0] != tokenVersion || b[1] == 0 || int(b[1]) >= len(useNames) {
		return Token{}, fmt.Errorf("token record: version or use: %w", ErrUnknownRecord)
	}
	r.rest = r.rest[2:]
	t := Token{Use: useNames[b[1]]}
	iat, ttl := r.seconds(), r.seconds()
	t.IssuedAt = time.Unix(iat, 0).UTC()
	t.ExpiresAt = time.Unix(iat+ttl, 0).UTC()
	t.Position = Position{Time: r.uvarint(), Seq: r.uvarint()}
	t.ClientID, t.SecretID, t.Scopes = r.string(), r.string(), r.string()
	for r.ok && r.rest != "" {
		tag := r.rest[0]
		r.rest = r.rest[1:]
		if !t.setField(tag, r.string()) {
			return Token{}, fmt.Errorf("token record: critical field %#x: %w", tag, ErrUnknownRecord)
		}
	}
	if !r.ok {
		return Token{}, fmt.Errorf("token record: cut short: %w", ErrUnknownRecord)
	}
	return t, nil
}

// setField reports whether the field is read or may be skipped. It returns false
// for an unknown critical tag, and for a value that cannot be read.
func (t *Token) setField(tag byte, v string) bool {
	n := reader{rest: v, ok: true} // for a value that has parts
	switch tag {
	case tagOrg:
		t.OrgID = v
	case tagCustomer:
		t.CustomerID = v
	case tagUser:
		t.AuthorizedUser = v
	case tagPartner:
		t.PartnerID = v
	case tagPartnerTID:
		t.PartnerTID = v
	case tagKey:
		t.KeyID = v
	case tagAudience:
		t.Audience = append(t.Audience, v)
	case tagSourceIP:
		t.SourceIPs = append(t.SourceIPs, v)
	case tagEndpoint:
		t.Endpoints = append(t.Endpoints, v)
	case tagResource:
		t.Resources = append(t.Resources, resourceOf(&n))
	case tagUpgradable:
		t.Upgradable = v
	case tagParent:
		t.Parents = append(t.Parents, v)
	case tagAuthTime:
		t.AuthTime = time.Unix(n.seconds(), 0).UTC()
	case tagAMR:
		t.AMR = append(t.AMR, v)
	case tagRevokedAt:
		t.Revoked = &Revocation{At: time.Unix(n.seconds(), 0).UTC()}
	case tagRevokedBy:
		if t.Revoked != nil {
			t.Revoked.By = v
		}
	default:
		return tag&critical == 0
	}
	return n.ok
}

// resourceOf reads what appendResource wrote.
func resourceOf(r *reader) Resource {
	resource := Resource{Type: r.string()}
	for r.ok && r.rest != "" {
		resource.IDs = append(resource.IDs, r.string())
	}
	return resource
}

// reader takes values off the front of rest. ok becomes false at the first
// value that is missing.
type reader struct {
	rest string
	ok   bool
}

func (r *reader) uvarint() uint64 {
	var n uint64
	for i := 0; i < len(r.rest) && i < binary.MaxVarintLen64; i++ {
		c := r.rest[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.rest = r.rest[i+1:]
			return n
		}
	}
	r.ok, r.rest = false, ""
	return 0
}

func (r *reader) seconds() int64 {
	n := r.uvarint()
	if n > math.MaxUint32 {
		r.ok = false
		return 0
	}
	return int64(n)
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.ok, r.rest = false, ""
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}
