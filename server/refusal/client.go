package refusal

// Causes of a refused client authentication that only the request shows: it was
// refused before a client was looked up.
const (
	NothingSent       Cause = "nothing_sent"
	NoSecret          Cause = "no_secret"
	NoClientID        Cause = "no_client_id"
	EmptyHeader       Cause = "authorization_empty"
	MethodUnsupported Cause = "method_unsupported"
	BasicUnreadable   Cause = "basic_unreadable"
	BasicNotEncoded   Cause = "basic_not_form_encoded"
	ClientIDForm      Cause = "client_id_malformed"
	SecretTooLong     Cause = "secret_too_long"
)

// Causes of a refused client authentication that the client's record shows.
const (
	UnknownClient     Cause = "unknown_client"
	ClientHeld        Cause = "client_held_back"
	ClientDeactivated Cause = "client_deactivated"
	OtherEnvironment  Cause = "other_environment"
	MethodNotAllowed  Cause = "method_not_allowed"
	AddressNotAllowed Cause = "address_not_allowed"
	SecretEnded       Cause = "secret_ended"
	SecretExpired     Cause = "secret_expired"
	SecretDamaged     Cause = "secret_damaged"
	SecretNotOfClient Cause = "secret_not_of_client"
	NoLiveSecret      Cause = "no_live_secret"
	SecretOver72Bytes Cause = "secret_over_72_bytes"
	WrongSecret       Cause = "wrong_secret"
	SecretLineBreak   Cause = "secret_line_break"
	OrgDeactivated    Cause = "org_deactivated"
	OrgHeld           Cause = "org_held_back"
	OrgMissing        Cause = "org_missing"
	OrgReplaced       Cause = "org_replaced"
	CutOff            Cause = "cut_off"
)

var requestReasons = map[Cause]Reason{
	NothingSent: {
		"the request had no client credentials",
		"have the client send its id and secret, by HTTP Basic or as client_id and client_secret in the body; if it does, a proxy removes the Authorization header",
	},
	NoSecret: {
		"the request had a client id and no secret",
		"check how the client reads its secret: a variable or a file may be empty",
	},
	NoClientID: {
		"the request had a secret and no client id",
		"check how the client reads its client_id: a variable may be empty",
	},
	EmptyHeader: {
		"the Authorization header was empty",
		"leave the header out if the secret is in the body; otherwise check how the client or a proxy makes the header",
	},
	MethodUnsupported: {
		"the client authenticated by a method that grantd does not have: a scheme other than Basic, a bearer token or an assertion",
		"configure client_secret_basic or client_secret_post in the client",
	},
	BasicUnreadable: {
		"the Authorization header is not Basic with the base64 of the id, a colon and the secret",
		"check how the client makes the header: base64 with padding, without line breaks",
	},
	BasicNotEncoded: {
		"the id or the secret in the Authorization header has a % that begins no escape: it was not form-encoded",
		"form-encode id and secret before base64 (RFC 6749 section 2.3.1), send the secret in the body, or give the client a secret that grantd makes: it needs no encoding",
	},
	ClientIDForm: {
		"the client id cannot be one: it is too long, has characters that no id has, or is a secret or token of grantd",
		"check that id and secret are not interchanged; if a secret was sent as the id, replace it",
	},
	SecretTooLong: {
		"the secret was longer than 1024 bytes",
		"check what the client sends as its secret",
	},
}

var clientReasons = map[Cause]Reason{
	UnknownClient: {
		"there is no client with this id",
		"compare the id with grantd client list: a typing error, the wrong environment, or a client that was deleted (grantd audit --target client:ID)",
	},
	ClientHeld: {
		"the client is held back since the store came back older",
		"see grantd store doctor",
	},
	ClientDeactivated: {
		"the client is deactivated",
		"grantd audit --target client:ID says who did that and when; grantd client reactivate ID takes it back",
	},
	OtherEnvironment: {
		"the secret is one of the other environment: a sandbox secret was sent to live, or the reverse",
		"correct the URL or the secret in the client's configuration",
	},
	MethodNotAllowed: {
		"the client may not authenticate by this method: it is pinned to another one",
		"compare auth_methods in grantd client show ID with what the client does; grantd client update ID --auth-method changes it",
	},
	AddressNotAllowed: {
		"the client may not authenticate from this address",
		"compare address with source_ips in grantd client show ID. If secret_right is true and the address is not yours, the secret has leaked: grantd leak. If the address is your proxy's, check public.trusted_proxies",
	},
	SecretEnded: {
		"the secret was right once and was ended on purpose at ended_at",
		"give the client its newest secret, or make one: grantd client rotate-secret ID",
	},
	SecretExpired: {
		"the secret was right until it expired at ended_at",
		"give the client its newest secret. This one cannot work again: if nobody has the newest, grantd client rotate-secret ID makes one",
	},
	SecretDamaged: {
		"the secret has the id of one of this client's secrets and is not that secret: it was changed in copying, or made up",
		"copy the whole secret again; if nobody has it, grantd client rotate-secret ID",
	},
	SecretNotOfClient: {
		"the secret has the form of grantd's, but this client has none with its id: it is another client's, it ended more than a day ago, or it was made up",
		"look for secret_id in grantd client secrets of the clients that the caller may have mistaken for this one; or rotate",
	},
	NoLiveSecret: {
		"the client has no secret that is in force",
		"grantd client secrets ID shows when they ended; grantd client rotate-secret ID makes a new one",
	},
	SecretOver72Bytes: {
		"the secret is longer than 72 bytes, and the client's imported hash is bcrypt, which ignores what is longer",
		"rotate to a secret that grantd makes: grantd client rotate-secret ID --grace 24h",
	},
	SecretLineBreak: {
		"the secret ends with a line break, so it is not the client's; without it, it may be right",
		"have the client send the secret without it: write the file with printf instead of echo, or cut the line break off after reading it",
	},
	WrongSecret: {
		"the secret is wrong: it does not have grantd's form, and it is not one that was imported for this client",
		"copy the secret again, without spaces, quotes and line breaks; if nobody has it, grantd client rotate-secret ID",
	},
	OrgDeactivated: {
		"the secret is right, but the client's org is deactivated",
		"grantd audit --target org:ORG says who did that and when; grantd org reactivate ORG takes it back",
	},
	OrgHeld: {
		"the secret is right, but the client's org is held back since the store came back older",
		"see grantd store doctor",
	},
	OrgMissing: {
		"the secret is right, but there is no org with the client's org_id",
		"delete the client, or create the org and the client again",
	},
	OrgReplaced: {
		"the secret is right, but the client belongs to a former org with the same id",
		"delete the client and create another one",
	},
	CutOff: {
		"there were too many failed attempts, so this one was refused whatever was wrong with it",
		"the lines before it, with the same client_id or address, say why they failed; then see Limits in OPERATING.md",
	},
}
