package oauth

// Paths of the endpoints.
const (
	PathToken       = "/oauth/token"
	PathTokenAlias  = "/token"
	PathAuthorize   = "/oauth/authorize" // only with Options.MCP
	PathIntrospect  = "/oauth/introspect"
	PathRevoke      = "/oauth/revoke"
	PathRevocations = "/oauth/revocations" // served by server/stream
	PathTokenInfo   = "/oauth/token/info"
	PathIdentity    = "/identity" // a JSON:API document, errors too
	PathKeys        = "/oauth/jwks"
	PathMetadata    = "/.well-known/oauth-authorization-server"
)

// Grant types (RFC 6749 §4.4, RFC 8693 §2.1).
const (
	GrantClientCredentials = "client_credentials"
	GrantTokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// GrantTypes lists what this server supports.
var GrantTypes = []string{GrantClientCredentials, GrantTokenExchange}

// followTrue is the only value of the parameter follow.
const followTrue = "true"

// Names of request parameters.
const (
	paramGrantType     = "grant_type"
	paramResponseType  = "response_type"
	paramScope         = "scope"
	paramResource      = "resource"
	paramToken         = "token"
	paramTokenHint     = "token_type_hint"
	paramSourceIP      = "source_ip"
	paramFollow        = "follow"
	paramClientID      = "client_id"
	paramClientSecret  = "client_secret"
	paramAssertion     = "client_assertion"
	paramAssertionType = "client_assertion_type"

	paramSubjectToken  = "subject_token"
	paramSubjectType   = "subject_token_type"
	paramRequestedType = "requested_token_type"
	paramActorToken    = "actor_token"
	paramActorType     = "actor_token_type"
	paramAudience      = "audience"
)
