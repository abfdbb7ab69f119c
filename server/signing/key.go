package signing

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/grantd/grantd/store"
)

// numberBytes is the length of a coordinate, and of each number of a signature
// (RFC 7518 §3.4, §6.2.1).
const numberBytes = 32

// key is a key that is ready to sign.
type key struct {
	private *ecdsa.PrivateKey
	// head is the encoded header of what it signs, with the dot after it.
	head []byte
}

// newKey makes a key, which does not sign yet. Its id does not begin with '-', so that
// command lines do not take it for a flag.
func newKey(now time.Time) (store.SigningKey, error) {
	for {
		if k, err := makeKey(now); err != nil || k.ID[0] != '-' {
			return k, err
		}
	}
}

func makeKey(now time.Time) (store.SigningKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return store.SigningKey{}, fmt.Errorf("make a signing key: %w", err)
	}
	number, err := private.Bytes()
	if err != nil {
		return store.SigningKey{}, fmt.Errorf("make a signing key: %w", err)
	}
	public, err := publicOf(private)
	if err != nil {
		return store.SigningKey{}, err
	}
	return store.SigningKey{ID: public.thumbprint(), Private: number, CreatedAt: now}, nil
}

// parseKey reads a stored key. Errors: store.ErrUnknownRecord.
func parseKey(stored *store.SigningKey) (k key, public jwk, err error) {
	k.private, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), stored.Private)
	if err == nil {
		public, err = publicOf(k.private)
	}
	if err == nil && public.thumbprint() != stored.ID {
		err = fmt.Errorf("its id is not its thumbprint")
	}
	if err != nil {
		return k, public, fmt.Errorf("signing key %q: %w: %w", stored.ID, store.ErrUnknownRecord, err)
	}
	public.ID = stored.ID
	head, err := json.Marshal(header{algorithm, stored.ID, mediaType})
	k.head = append(base64.RawURLEncoding.AppendEncode(nil, head), '.')
	return k, public, err
}

const (
	algorithm = "ES256"
	mediaType = "token-introspection+jwt" // RFC 9701 §5
)

// header is the JOSE header.
type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

// appendSigned appends the claims as a JWS in compact form (RFC 7515 §7.1).
func (k key) appendSigned(b, claims []byte) ([]byte, error) {
	start := len(b)
	b = append(b, k.head...)
	b = base64.RawURLEncoding.AppendEncode(b, claims)
	sum := sha256.Sum256(b[start:])
	r, s, err := ecdsa.Sign(rand.Reader, k.private, sum[:])
	if err != nil {
		return b, fmt.Errorf("sign: %w", err)
	}
	var signature [2 * numberBytes]byte
	r.FillBytes(signature[:numberBytes])
	s.FillBytes(signature[numberBytes:])
	return base64.RawURLEncoding.AppendEncode(append(b, '.'), signature[:]), nil
}

// jwk is a public key as RFC 7517 §4 and RFC 7518 §6.2.1 write it.
type jwk struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	ID        string `json:"kid"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
}

// keySet is the document of RFC 7517 §5.
type keySet struct {
	Keys []jwk `json:"keys"`
}

// publicOf returns the public half, without an id.
func publicOf(private *ecdsa.PrivateKey) (jwk, error) {
	point, err := private.PublicKey.Bytes()
	if err != nil {
		return jwk{}, fmt.Errorf("public key: %w", err)
	}
	x, y := point[1:1+numberBytes], point[1+numberBytes:] // after the byte that says that both follow
	encode := base64.RawURLEncoding.EncodeToString
	return jwk{Type: "EC", Use: "sig", Algorithm: algorithm, Curve: "P-256", X: encode(x), Y: encode(y)}, nil
}

// thumbprint returns the SHA-256 of the required members (RFC 7638 §3).
func (j jwk) thumbprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":%q,"kty":%q,"x":%q,"y":%q}`, j.Curve, j.Type, j.X, j.Y))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
