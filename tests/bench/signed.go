package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// signed is a list of JWT access tokens, as other servers issue them, and what verifies
// them.
type signed struct {
	list   []string
	parser *jwt.Parser
	key    crypto.PublicKey
}

// claims are those of RFC 9068.
type claims struct {
	jwt.RegisteredClaims
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
}

const jwtAudience = "https://users.example.com"

// newSigned makes n tokens of each kind.
func newSigned(n int) (es256, rs256 *signed, err error) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, err
	}
	if es256, err = signAll(n, jwt.SigningMethodES256, ec, ec.Public()); err != nil {
		return nil, nil, err
	}
	rs256, err = signAll(n, jwt.SigningMethodRS256, rs, rs.Public())
	return es256, rs256, err
}

func signAll(n int, method jwt.SigningMethod, private crypto.PrivateKey, public crypto.PublicKey) (*signed, error) {
	s := &signed{key: public, parser: jwt.NewParser(jwt.WithValidMethods([]string{method.Alg()}),
		jwt.WithIssuer(issuer), jwt.WithAudience(jwtAudience), jwt.WithExpirationRequired())}
	now := time.Now()
	for i := range n {
		t := jwt.NewWithClaims(method, claims{
			RegisteredClaims: jwt.RegisteredClaims{
				Issuer: issuer, Subject: "client:bench", Audience: jwt.ClaimStrings{jwtAudience}, ID: fmt.Sprint("token-", i),
				IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(seedLife)),
			},
			ClientID: "bench", Scope: "users:read users:write",
		})
		t.Header["typ"] = "at+jwt"
		text, err := t.SignedString(private)
		if err != nil {
			return nil, err
		}
		s.list = append(s.list, text)
	}
	return s, nil
}

// check verifies the i-th token: signature, issuer, audience, life and scope.
func (s *signed) check(i int) error {
	var c claims
	if _, err := s.parser.ParseWithClaims(s.list[i], &c, func(*jwt.Token) (any, error) { return s.key, nil }); err != nil {
		return err
	}
	if !strings.Contains(c.Scope, "users:read") {
		return errors.New("the JWT lacks the scope")
	}
	return nil
}
