package oauth

import (
	"context"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// Signer signs introspection and publishes the keys that verify its signatures.
type Signer interface {
	// AppendSigned appends the claims as a JWS of the type that RFC 9701 §5 has.
	AppendSigned(ctx context.Context, b, claims []byte) ([]byte, error)
	// AppendPublished appends the key set of RFC 7517 §5.
	AppendPublished(ctx context.Context, b []byte) ([]byte, error)
}

// typeSigned and varyAccept are shared values of headers, so that no request
// allocates one.
var (
	typeSigned = []string{mediaSigned}
	varyAccept = []string{"Accept"}
)

// sendSigned responds with the introspection as a JWT for the resource server. It has
// no void keys: a cache that follows revocations asks for JSON.
func (e *Endpoints) sendSigned(c *gin.Context, rs *store.Client, f tokens.Found, jti string) error {
	claims, body := web.NewBody(), web.NewBody()
	claims.B = e.appendClaims(claims.B, rs, f, jti)
	signed, err := e.o.Signer.AppendSigned(c.Request.Context(), body.B, claims.B)
	claims.Drop()
	if err != nil {
		body.Drop()
		return err
	}
	body.B = signed
	e.o.Observe.CountSigned()
	web.SendAs(c, typeSigned, 200, body)
	return nil
}

// appendClaims appends the claims of RFC 9701 §5. There is no sub and no exp beside
// them, so that nobody takes the JWT for an access token (§8.1).
func (e *Endpoints) appendClaims(b []byte, rs *store.Client, f tokens.Found, jti string) []byte {
	b = web.AppendString(append(b, `{"iss":`...), e.o.Issuer())
	b = web.AppendString(append(b, `,"aud":`...), rs.ID)
	b = strconv.AppendInt(append(b, `,"iat":`...), e.o.Now().Unix(), 10)
	b = append(b, `,"token_introspection":`...)
	return append(e.appendIntrospection(b, f, jti, false), '}')
}

// Keys serves GET /oauth/jwks: the keys that verify signed introspection.
func (e *Endpoints) Keys(c *gin.Context) error {
	body := web.NewBody()
	published, err := e.o.Signer.AppendPublished(c.Request.Context(), body.B)
	if err != nil {
		body.Drop()
		return err
	}
	body.B = published
	web.Send(c, 200, body)
	return nil
}
