package oauth

// Paths of the endpoints (contract §3).
const (
	PathToken      = "/oauth/token"
	PathTokenAlias = "/token"
	PathIntrospect = "/oauth/introspect"
	PathRevoke     = "/oauth/revoke"
	PathMetadata   = "/.well-known/oauth-authorization-server"
)

// GrantClientCredentials is the one grant type so far.
const GrantClientCredentials = "client_credentials"

// Names of request parameters.
const (
	paramGrantType     = "grant_type"
	paramResponseType  = "response_type"
	paramScope         = "scope"
	paramResource      = "resource"
	paramToken         = "token"
	paramTokenHint     = "token_type_hint"
	paramSourceIP      = "source_ip"
	paramClientID      = "client_id"
	paramClientSecret  = "client_secret"
	paramAssertion     = "client_assertion"
	paramAssertionType = "client_assertion_type"
)
