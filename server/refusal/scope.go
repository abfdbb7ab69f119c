package refusal

// Causes of a refused scope and of a quota.
const (
	ScopeUnknown    Cause = "scope_unknown"
	ScopeComma      Cause = "scope_with_comma"
	ScopeNotAllowed Cause = "scope_not_allowed"
	ScopeSyntax     Cause = "scope_malformed"
	ScopeTooLong    Cause = "scope_too_long"
	NoDefaultScope  Cause = "no_default_scope"
	IssueQuota      Cause = "issue_quota"
	RevocationQuota Cause = "revocation_quota"
)

// Causes of a request that did not come over TLS, as X-Forwarded-Proto says.
const (
	ProtoMissing Cause = "forwarded_proto_missing"
	ProtoPlain   Cause = "forwarded_proto_http"
	ProtoList    Cause = "forwarded_proto_list"
	ProtoCase    Cause = "forwarded_proto_not_lower_case"
	ProtoUnknown Cause = "forwarded_proto_unknown"
	NotFromProxy Cause = "not_from_a_proxy"

	OriginNotListed Cause = "origin_not_listed"
	PreflightMethod Cause = "preflight_method"
	PreflightHeader Cause = "preflight_header"
)

var scopeReasons = map[Cause]Reason{
	ScopeUnknown: {
		"this server has no scope with that name",
		"compare it with grantd scope list; a scope of yours belongs in the file that scopes.file names",
	},
	ScopeComma: {
		"scope has names with a comma between them, which are one name that this server does not have",
		"have the client send scope=a b: names are separated by a space",
	},
	ScopeNotAllowed: {
		"the client may not have that scope",
		"grantd client show ID lists what it may have; grantd client update ID --scope replaces the whole list",
	},
	ScopeSyntax: {
		"scope is not a list of names with single spaces between them",
		"have the client send scope=a b: one parameter, names separated by one space, without quotes or commas",
	},
	ScopeTooLong: {
		"scope is longer than 2048 characters, or has more than 64 names",
		"have the client request fewer scopes",
	},
	NoDefaultScope: {
		"the request named no scope, and the client has no default scopes",
		"have the client name its scopes, or set defaults: grantd client update ID --default-scope",
	},
	IssueQuota: {
		"the client has had more tokens than its limit allows: limits.issue_per_client, or issue_limit of the client, as limit says",
		"have the client keep each token until it expires; or raise the limit: limits.issue_per_client in the configuration, or grantd client update ID --issue-limit (grantd client show ID has it)",
	},
	RevocationQuota: {
		"the client has revoked more tokens than limits.revocations_per_client allows, or the holder of the token has ended too many by themselves",
		"find out why it revokes in a loop; or raise the limit",
	},
	ProtoMissing: {
		"the request came from a trusted proxy without X-Forwarded-Proto",
		"have the proxy set X-Forwarded-Proto: https for requests that reached it over TLS",
	},
	ProtoPlain: {
		"the proxy says that the request reached it without TLS",
		"have the client call https://, and replace the credential that it sent in the clear",
	},
	ProtoList: {
		"X-Forwarded-Proto is a list, such as https, http: several proxies added to it, or the client sent the header too",
		"have the proxy in front of grantd overwrite X-Forwarded-Proto with one https if the client came over TLS",
	},
	ProtoCase: {
		"X-Forwarded-Proto is https in another spelling, such as HTTPS",
		"have the proxy set X-Forwarded-Proto: https, in lower case",
	},
	ProtoUnknown: {
		"X-Forwarded-Proto is neither http nor https",
		"have the proxy set X-Forwarded-Proto: https",
	},
	OriginNotListed: {
		"a web page of an origin that is not in public.cors_origins asked whether it may call; origin names it, if it has the form of one",
		"if the page is yours, add its origin to public.cors_origins, exactly as origin shows it, and restart",
	},
	PreflightMethod: {
		"a web page asked whether it may call with a method that the path does not support",
		"have the page call as APP_GUIDE.md shows",
	},
	PreflightHeader: {
		"a web page asked whether it may send a header that grantd does not read",
		"have the page send only Authorization, Content-Type, X-Request-Id, traceparent and tracestate; a library may add others",
	},
	NotFromProxy: {
		"the request came without TLS from an address that is not in public.trusted_proxies",
		"add the proxy to public.trusted_proxies, or have the caller go through the proxy",
	},
}
