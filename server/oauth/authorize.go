package oauth

import (
	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
)

var errNoCodeFlow = apierr.New(apierr.UnsupportedResponse, "there is no authorization code flow: backend services ask the token endpoint for a token, with grant_type=client_credentials")

// Authorize serves the authorization endpoint that MCP clients want to find in the
// metadata. It reads nothing of a request, and refuses each with the same error: it
// never redirects, because no client has a redirect URI (RFC 6749 §4.1.2.1).
func (e *Endpoints) Authorize(*gin.Context) error {
	return errNoCodeFlow
}
