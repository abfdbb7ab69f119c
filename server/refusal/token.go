package refusal

// Causes of a token that is not active, or not shown. They are the states that
// token explain has, and the reasons why a resource server does not see a token.
const (
	Expired       Cause = "expired"
	Revoked       Cause = "revoked"
	Void          Cause = "void"
	HeldBack      Cause = "held_back"
	Lost          Cause = "lost"
	Unreadable    Cause = "unreadable"
	Foreign       Cause = "foreign_environment"
	Damaged       Cause = "damaged"
	Malformed     Cause = "malformed"
	OtherKind     Cause = "other_credential"
	WithScheme    Cause = "token_with_scheme"
	HiddenUse     Cause = "hidden_token_use"
	HiddenOrg     Cause = "hidden_org"
	HiddenAud     Cause = "hidden_audience"
	HiddenPaths   Cause = "hidden_endpoints"
	HiddenObjects Cause = "hidden_resources"
	HiddenAddress Cause = "hidden_source_ip"
	OtherToken    Cause = "other_token"
)

var tokenReasons = map[Cause]Reason{
	Expired: {
		"the token has expired",
		"have its holder request a new one, before the old one ends (expires_in)",
	},
	Revoked: {
		"the token was revoked",
		"grantd token explain --jti JTI says when and by whom",
	},
	Void: {
		"every token of void_of that was issued before ended_at was voided",
		"grantd audit --target with void_of says who did that and why; have the holder request a new token",
	},
	OtherToken: {
		"a bearer token was sent to end another token",
		"the holder of a token sends it twice, as bearer token and as token; a client that ends its tokens sends its secret",
	},
	HeldBack: {
		"the token's owner is held back since the store came back older",
		"see grantd store doctor",
	},
	Lost: {
		"this server made the token and it has not expired, but the store has no record of it",
		"have the holder request a new token; if there are many, the store lost its newest writes: see grantd store doctor",
	},
	Unreadable: {
		"a newer grantd wrote the token's record",
		"finish the upgrade: this process cannot read what the others write",
	},
	Foreign: {
		"the token is one of the other environment: a sandbox token was sent to live, or the reverse",
		"correct the URL in the caller or in the resource server",
	},
	Damaged: {
		"the token does not have the length or the characters of one of this server: it was cut off or changed on its way",
		"grantd token explain TOKEN says what is missing; look for a column, header or variable that is too short",
	},
	Malformed: {
		"this server never made the token: it was made up, mistyped, or is of another deployment",
		"check which server the holder gets its tokens from",
	},
	OtherKind: {
		"what was sent as the token is a credential of grantd, but not a token: a client secret, a client id or a verification token",
		"have the caller send the access_token that it got; if a secret was sent to a wrong place, report it with grantd leak",
	},
	WithScheme: {
		"the token was sent with the word Bearer before it",
		"have the resource server send only what follows Bearer in the Authorization header",
	},
	HiddenUse: {
		"the token is valid, but the resource server does not accept tokens of its use",
		"grantd client update RS --token-use, if the resource server can handle them",
	},
	HiddenOrg: {
		"the token is valid, but of another org than the resource server",
		"compare org_id of the token (grantd token explain --jti JTI) with that of grantd client show RS; a resource server for several orgs belongs to none",
	},
	HiddenAud: {
		"the token is valid for another audience",
		"compare aud of the token (grantd token explain --jti JTI) with resource in grantd client show RS",
	},
	HiddenPaths: {
		"the token is valid only for some endpoints, which the resource server does not enforce",
		"grantd client update RS --enforces endpoints, once its code does",
	},
	HiddenObjects: {
		"the token is valid only for some resources, which the resource server does not enforce",
		"grantd client update RS --enforces resources, once its code does",
	},
	HiddenAddress: {
		"the token is valid only from some addresses, and the caller's is not one of them or was not sent",
		"have the resource server send source_ip; or grantd client update RS --enforces source_ip, once its code does",
	},
}
