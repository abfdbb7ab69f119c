package edge

import (
	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/server/web"
)

// callers authenticates callers. On TCP each must send the id and the secret of a
// client: every process of this machine reaches the port. On the socket, the kernel
// lets only the user of this process connect, so nothing has to be sent. What is sent
// must be right, so that a wrong configuration is noticed there too.
type callers struct {
	socket bool
	verify *verifier
	hash   *hasher
}

// authenticate returns nil if the caller may act as one of the clients.
// Errors: apierr.InvalidRequest, InvalidClient, TooManyRequests, Unavailable.
func (k *callers) authenticate(c *gin.Context, p auth.Presented, clients ...*secretFile) error {
	if k.socket && p.IsNone() {
		return nil
	}
	cred, err := p.Credentials()
	if err != nil {
		return err
	}
	ev := web.EventOf(c)
	for _, client := range clients {
		if client.id != cred.ClientID {
			continue
		}
		ev.ClientID, ev.Claim = client.id, web.ClaimKnown
		right, err := k.isRight(c, client, cred.Secret)
		switch {
		case err != nil:
			return err
		case !right:
			return auth.Failed(refusal.WrongSecret)
		}
		ev.Claim = 0
		return nil
	}
	return auth.Failed(refusal.UnknownClient)
}

// isRight reports whether the secret is in the client's file, or the server accepts it.
func (k *callers) isRight(c *gin.Context, client *secretFile, secret string) (bool, error) {
	d := k.hash.of(client.id, secret)
	if client.matches(&d) {
		return true, nil
	}
	client.refresh()
	if client.current.Load().equal(&d) {
		return true, nil
	}
	return k.verify.check(c.Request.Context(), client.id, secret)
}
