package refusal

// Causes of a request for a customer that is not found. Callers see the same 404.
const (
	CustomerUnknown     Cause = "customer_unknown"
	CustomerDeactivated Cause = "customer_deactivated"
	CustomerHeld        Cause = "customer_held_back"
	CustomerOfOtherOrg  Cause = "customer_of_other_org"
	CustomerOfFormerOrg Cause = "customer_of_former_org"
	CustomerOrgUnusable Cause = "customer_org_unusable"
	CustomerNotOfToken  Cause = "customer_not_of_token"
	TokenWithoutOrg     Cause = "token_without_org"
)

var customerReasons = map[Cause]Reason{
	CustomerUnknown: {
		"there is no customer with this id",
		"compare customer_id with grantd customer list: a typing error, the wrong environment, or a customer who was never imported or was deleted (grantd audit --target customer:ID)",
	},
	CustomerDeactivated: {
		"the customer is deactivated",
		"grantd audit --target customer:ID says who did that and when; grantd customer reactivate ID takes it back",
	},
	CustomerHeld: {
		"the customer is held back since the store came back older",
		"see grantd store doctor",
	},
	CustomerOfOtherOrg: {
		"the customer is one of another org than the client",
		"compare org_id in grantd customer show ID with that in grantd client show of the client",
	},
	CustomerOfFormerOrg: {
		"the customer belongs to a former org with the same id",
		"delete the customer and create another one",
	},
	CustomerOrgUnusable: {
		"the client's org was deleted, is deactivated, or is held back since the store came back older",
		"look at grantd org show ORG, with org_id in grantd client show of the client; grantd org reactivate ORG takes a deactivation back",
	},
	CustomerNotOfToken: {
		"the bearer token is that of another customer",
		"check how the app makes the path: its id must be the customer whose token it sends",
	},
	TokenWithoutOrg: {
		"the bearer token is one of a client without an org, which has no customers",
		"create a client with an org for the app's backend: grantd client create --org ORG",
	},
}
