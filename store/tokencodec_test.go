package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var issued = time.Unix(1753488000, 0).UTC()

// ordinaryToken returns a token as most clients get it: a generated id, two
// scopes, and a position as Redis makes it.
func ordinaryToken() Token {
	return Token{
		Use:       UseClient,
		ClientID:  "gc_0123456789abcdefghijkl",
		SecretID:  "Ab3dEf7h",
		Scopes:    "users:read users:write",
		IssuedAt:  issued,
		ExpiresAt: issued.Add(2 * time.Hour),
		Position:  Position{Time: 1753488000123, Seq: 3},
	}
}

func fullToken() Token {
	t := ordinaryToken()
	t.Use = UseOnBehalf
	t.OrgID, t.CustomerID, t.PartnerID, t.PartnerTID = "h5D8B5gyHtk=", "10001", "acme", "p1"
	t.Audience = []string{"https://a.example", "", "https://b.example"}
	t.SourceIPs = []string{"192.0.2.0/24", "2001:db8::/32"}
	t.Endpoints = []string{"GET /cards"}
	t.Resources = []Resource{{Type: "card", IDs: []string{"12", "13"}}, {Type: "", IDs: []string{""}}, {Type: "account"}}
	t.AuthorizedUser = "20"
	t.Upgradable, t.AuthTime, t.AMR = "cards-write payments-write", issued.Add(-time.Second), []string{"otp", "sms"}
	t.Parents = []string{PrincipalToken(Digest{1})[len(kindToken):], PrincipalToken(Digest{2})[len(kindToken):]}
	t.Revoked = &Revocation{At: issued.Add(time.Minute), By: "uid:0"}
	return t
}

func TestTokenRoundTrip(t *testing.T) {
	least := Token{Use: UsePartner, IssuedAt: issued, ExpiresAt: issued}
	long := fullToken()
	long.Scopes = strings.Repeat("scope ", 8000)
	unsigned := fullToken()
	unsigned.Revoked.By = ""
	customer := fullToken()
	customer.Use = UseCustomer
	for name, want := range map[string]Token{
		"ordinary": ordinaryToken(), "full": fullToken(), "least": least,
		"long": long, "revoked by nobody": unsigned, "customer": customer,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := DecodeToken(AppendToken(nil, &want))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestTokenTimesAreCutToSeconds(t *testing.T) {
	token := ordinaryToken()
	token.IssuedAt = token.IssuedAt.Add(999 * time.Millisecond).In(time.FixedZone("elsewhere", 3600))
	token.ExpiresAt = token.ExpiresAt.Add(time.Millisecond)
	got, err := DecodeToken(AppendToken(nil, &token))
	if d := cmp.Diff(ordinaryToken(), got); err != nil || d != "" {
		t.Errorf("error %v (-want +got):\n%s", err, d)
	}
}

// TestOrdinaryTokenIsSmall: above 96 bytes, a token costs Redis more memory.
func TestOrdinaryTokenIsSmall(t *testing.T) {
	token := ordinaryToken()
	if n := len(AppendToken(nil, &token)); n > 96 {
		t.Errorf("%d bytes, want at most 96", n)
	}
}

// TestOrdinaryTokenKeepsItsForm: fields of later kinds of tokens cost an
// ordinary token no byte, and stored records stay readable.
func TestOrdinaryTokenKeepsItsForm(t *testing.T) {
	const want = "010180b590c406a038fb889ea08433031967635f303132333435363738396162636465666768696a6b6c0841623364456637681675736572733a726561642075736572733a7772697465"
	token := ordinaryToken()
	if got := hex.EncodeToString(AppendToken(nil, &token)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAppendTokenAppends(t *testing.T) {
	token := ordinaryToken()
	got := AppendToken([]byte("front"), &token)
	if !bytes.Equal(got, append([]byte("front"), AppendToken(nil, &token)...)) {
		t.Errorf("got %q", got)
	}
}

func TestUnknownFields(t *testing.T) {
	token := fullToken()
	record := AppendToken(nil, &token)
	skipped := append(bytes.Clone(record), 0x7e, 3, 'a', 'b', 'c')
	skipped = appendString(append(skipped, 0x7f), "")
	got, err := DecodeToken(skipped)
	if d := cmp.Diff(token, got); err != nil || d != "" {
		t.Errorf("fields that are not critical: error %v (-want +got):\n%s", err, d)
	}
	for _, tag := range []byte{0x84, 0x89, 0xfe, 0xff} {
		_, err := DecodeToken(appendString(append(bytes.Clone(record), tag), "x"))
		if !errors.Is(err, ErrUnknownRecord) {
			t.Errorf("critical field %#x: error %v", tag, err)
		}
	}
}

func TestUnreadableTokens(t *testing.T) {
	token := ordinaryToken()
	record := AppendToken(nil, &token)
	changed := func(i int, b byte) []byte {
		c := bytes.Clone(record)
		c[i] = b
		return c
	}
	large := ordinaryToken()
	large.Scopes = strings.Repeat("x", maxTokenRecord)
	for name, b := range map[string][]byte{
		"nothing":            nil,
		"version only":       {tokenVersion},
		"version zero":       changed(0, 0),
		"a newer version":    changed(0, tokenVersion+1),
		"no use":             changed(1, 0),
		"an unknown use":     changed(1, 6),
		"more than allowed":  AppendToken(nil, &large),
		"an endless number":  append([]byte{tokenVersion, 1}, bytes.Repeat([]byte{0xff}, 20)...),
		"times beyond reach": append([]byte{tokenVersion, 1}, 0xff, 0xff, 0xff, 0xff, 0x7f),
		"a bare tag":         append(bytes.Clone(record), tagOrg),
		"no end of revoking": append(bytes.Clone(record), tagRevokedAt, 1, 0x80),
		"no time of proof":   append(bytes.Clone(record), tagAuthTime, 0),
		"empty resource":     append(bytes.Clone(record), tagResource, 0),
		"half a resource":    append(bytes.Clone(record), tagResource, 3, 1, 'a', 1),
	} {
		if got, err := DecodeToken(b); !errors.Is(err, ErrUnknownRecord) || !cmp.Equal(got, Token{}) {
			t.Errorf("%s: token %+v, error %v", name, got, err)
		}
	}
}

// TestTokenCutShort: a cut between two fields cannot be detected, but every
// other cut is.
func TestTokenCutShort(t *testing.T) {
	token := ordinaryToken() // it has no optional fields
	record := AppendToken(nil, &token)
	for n := range record {
		if _, err := DecodeToken(record[:n]); !errors.Is(err, ErrUnknownRecord) {
			t.Errorf("the first %d of %d bytes: error %v", n, len(record), err)
		}
	}
	full := fullToken()
	record = AppendToken(nil, &full)
	readable := 0
	for n := range record {
		if _, err := DecodeToken(record[:n]); err == nil {
			readable++
		}
	}
	const single = 9 // org, customer, authorized user, partner, its token, upgradable, time of proof, two of the revocation
	if readable != single+len(full.Parents)+len(full.Audience)+len(full.SourceIPs)+len(full.Endpoints)+len(full.Resources)+len(full.AMR) {
		t.Errorf("%d cuts are undetected, want one for each field", readable)
	}
}

func FuzzDecodeToken(f *testing.F) {
	for _, t := range []Token{ordinaryToken(), fullToken()} {
		f.Add(AppendToken(nil, &t))
	}
	f.Add([]byte{tokenVersion, 1, 0, 0, 0, 0, 0, 0, 0, tagRevokedBy, 0, tagRevokedAt, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		token, err := DecodeToken(b)
		if err != nil {
			if !errors.Is(err, ErrUnknownRecord) {
				t.Fatalf("error %v", err)
			}
			return
		}
		second, err := DecodeToken(AppendToken(nil, &token))
		if d := cmp.Diff(token, second); err != nil || d != "" {
			t.Fatalf("written and read again: error %v (-first +second):\n%s", err, d)
		}
	})
}

func BenchmarkDecodeToken(b *testing.B) {
	token := ordinaryToken()
	record := AppendToken(nil, &token)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeToken(record); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendToken(b *testing.B) {
	token := ordinaryToken()
	buffer := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buffer = AppendToken(buffer[:0], &token)
	}
}
