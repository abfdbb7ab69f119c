package refusal

// Causes for which /forward-auth refuses a call of an API. A token that is not active has
// the cause that it has elsewhere, if the process knows it.
const (
	NotGateway     Cause = "not_a_gateway"
	GatewayQuery   Cause = "gateway_query"
	GatewayPath    Cause = "gateway_path"
	UnknownPolicy  Cause = "policy_unknown"
	GatewayMessage Cause = "gateway_message"
	NoBearer       Cause = "no_bearer_token"
	TwoHeaders     Cause = "authorization_repeated"
	EmptyBearer    Cause = "bearer_token_empty"
	NotActive      Cause = "token_not_active"
	GatewayAud     Cause = "token_audience"
	GatewayBound   Cause = "token_bound"
	GatewayUse     Cause = "token_use"
	GatewayScope   Cause = "token_scope"
	GatewayObjects Cause = "token_resources"
	GatewayAddress Cause = "token_source_ip"
	GatewayMethod  Cause = "token_method"
	GatewayReach   Cause = "token_endpoint"
)

var gatewayReasons = map[Cause]Reason{
	NotGateway: {
		"/forward-auth was called from an address that is not one of the gateways",
		"if address is that of your gateway, add it to public.trusted_proxies and restart; otherwise find out who calls it",
	},
	GatewayQuery: {
		"the query with which the gateway asks is wrong, so nothing passes",
		"correct the URL in the gateway's configuration: scope and token_use, each once and not empty, and only kinds of tokens that the API accepts",
	},
	GatewayPath: {
		"the path with which Envoy asks has no policy and original path",
		"set path_prefix of ext_authz to /forward-auth/envoy/ and the name of a policy, without a slash at the end",
	},
	UnknownPolicy: {
		"the policy in the path with which Envoy asks is not configured",
		"compare path_prefix of ext_authz with the names in forward_auth.policies, or in --forward-auth-policy of grantd edge",
	},
	GatewayMessage: {
		"the message with which Envoy calls over gRPC cannot be read, so nothing passes",
		"compare ext_authz with the example deploy/gateways/envoy.yaml, which sends no body, compresses nothing, and stays below 64 KiB",
	},
	NoBearer: {
		"the call had no bearer token",
		"have the caller send Authorization: Bearer; if it does, the gateway does not pass the header on",
	},
	TwoHeaders: {
		"the call had more than one Authorization header",
		"have the caller send one; a proxy in front of the gateway may add another",
	},
	EmptyBearer: {
		"the Authorization header had no token",
		"check how the caller reads its token: a variable may be empty",
	},
	NotActive: {
		"the server says that the token is not active, not for this API, or not for the caller's address",
		"grantd token explain TOKEN at the server says why; if the token is active and address is unknown, or that of a proxy, correct the gateway, --forward-auth-headers or --trusted-proxy",
	},
	GatewayAud: {
		"the token is only for some APIs (aud), and the server does not know which API the gateway asks for",
		"ask grantd edge, which has the registration of the API; or have the client request a token without resource",
	},
	GatewayBound: {
		"the token is bound to a key or a certificate, which a gateway does not check",
		"have the API introspect such tokens",
	},
	GatewayUse: {
		"the token is of a kind that the API does not accept",
		"if the API can handle it, add the kind to token_use of the gateway's URL or of the policy",
	},
	GatewayScope: {
		"the token lacks a scope that the call needs",
		"scope of the line is what it needs; have the client request it, and if it may not: grantd client update ID --scope, with the whole list",
	},
	GatewayObjects: {
		"the token is restricted to some resources, which a gateway cannot check",
		"have the API introspect such tokens, and leave its path out of the gateway's rules",
	},
	GatewayAddress: {
		"the token is not for the caller's address, or the gateway did not say what that is",
		"compare address with source_ips of the token (grantd token explain --jti JTI); if address is unknown, or that of a proxy, correct the gateway, or forward_auth.headers and public.trusted_proxies (of grantd edge --forward-auth-headers and --trusted-proxy)",
	},
	GatewayMethod: {
		"the token only reads, and the call has another method or the gateway did not say which",
		"check that the gateway sends the method as forward_auth.headers (of grantd edge --forward-auth-headers) says; the caller needs another token to write",
	},
	GatewayReach: {
		"the token is not for the path, servers could read the path in two ways, or the gateway did not say what it is",
		"compare the path with endpoints of the token (grantd token explain --jti JTI), and check that the gateway sends it as forward_auth.headers (of grantd edge --forward-auth-headers) says",
	},
}
