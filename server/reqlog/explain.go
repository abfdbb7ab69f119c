package reqlog

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/store"
)

// Explanation says what happened to a request.
type Explanation struct {
	Time        string      `json:"time"`
	Method      string      `json:"method"`
	Route       string      `json:"route"`
	Status      json.Number `json:"status"`
	Result      string      `json:"result"` // granted, inactive, refused, failed
	ClientID    string      `json:"client_id,omitempty"`
	Claimed     bool        `json:"client_claimed,omitempty"` // the client did not authenticate
	ClientKnown *bool       `json:"client_known,omitempty"`   // absent: it authenticated, or was not looked up
	SecretID    string      `json:"secret_id,omitempty"`
	Address     string      `json:"address,omitempty"`
	TokenID     string      `json:"jti,omitempty"`
	Scope       string      `json:"scope,omitempty"`
	PartnerID   string      `json:"partner_id,omitempty"`
	PartnerTID  string      `json:"partner_token_id,omitempty"`
	OrgID       string      `json:"org_id,omitempty"` // that a partner asked for
	CustomerID  string      `json:"customer_id,omitempty"`
	Limit       string      `json:"limit,omitempty"` // that refused the request
	Error       string      `json:"error,omitempty"`
	Description string      `json:"error_description,omitempty"`
	Cause       string      `json:"cause,omitempty"`
	EndedAt     string      `json:"ended_at,omitempty"`
	VoidOf      string      `json:"void_of,omitempty"`
	SecretRight bool        `json:"secret_right,omitempty"`
	Note        string      `json:"note,omitempty"`
	Meaning     string      `json:"meaning"`
	Next        string      `json:"next"` // what to do; "": nothing
}

// Results of a request.
const (
	Granted  = "granted"
	Inactive = "inactive" // an introspection that was served: the token is not active
	Refused  = "refused"
	Failed   = "failed" // here, not because of the caller
)

// Explain returns what happened to a request, of which l is the access event.
func Explain(l Line) Explanation {
	x := Explanation{
		Time: l.Text("time"), Method: l.Text("method"), Route: l.Text("route"), ClientID: l.Text("client_id"),
		SecretID: l.Text("secret_id"), Address: l.Text("address"), TokenID: l.Text("jti"), Scope: l.Text("scope"), CustomerID: l.Text("customer_id"), Limit: l.Text("limit"),
		PartnerID: l.Text("partner_id"), PartnerTID: l.Text("partner_token_id"), OrgID: l.Text("org_id"),
		Error: l.Text("error"), Description: l.Text("error_description"), Cause: l.Text("cause"), EndedAt: l.Text("ended_at"), VoidOf: l.Text("void_of"), Note: l.Text("note"),
	}
	_ = json.Unmarshal(l["status"], &x.Status) // members of another type stay empty
	_ = json.Unmarshal(l["client_known"], &x.ClientKnown)
	_, x.Claimed = l["client_known"] // null: it was refused before it was looked up
	_ = json.Unmarshal(l["secret_right"], &x.SecretRight)
	status, _ := strconv.Atoi(x.Status.String())
	active := string(l["active"])
	switch {
	case status >= 500:
		x.Result = Failed
	case status >= 400:
		x.Result = Refused
	case active == "false":
		x.Result = Inactive
	default:
		x.Result = Granted
	}
	x.Meaning, x.Next = explain(x, status, active == "false")
	return x
}

// explain returns what a request means, and what to do: what is known of the cause,
// or else of the error.
func explain(x Explanation, status int, inactive bool) (meaning, next string) {
	r, ok := refusal.Cause(x.Cause).Reason()
	if refusesPartnerToken(x, ok) {
		return explainPartnerToken(x, r)
	}
	if ok {
		return r.Meaning, r.Next
	}
	if reason := storeReason(x.Cause); reason != "" {
		return reason, "see Causes in OPERATING.md"
	}
	if x.Limit != "" {
		return explainLimit(x)
	}
	if x.Description != "" {
		return "the request is malformed: " + x.Description, "have the caller correct the request"
	}
	if e, ok := errorReasons[x.Error]; ok {
		return e.Meaning, e.Next
	}
	switch {
	case status == 499:
		return "the caller hung up before the response", "compare duration_us of the line with the caller's timeout"
	case status >= 500:
		return "something failed here", "read cause and stack of the line, and the lines before it"
	case status >= 400:
		return "the request was refused with " + x.Error, "compare the request with openapi.yaml; the response has a description"
	case inactive:
		return "the token is not active", "grantd token explain --jti JTI"
	}
	return "the request was served", ""
}

// explainLimit returns what a limit means that refused a request.
func explainLimit(x Explanation) (meaning, next string) {
	meaning, next = "the limit "+x.Limit+" refused the request", "see "+x.Limit+" in Limits in OPERATING.md"
	if x.CustomerID != "" {
		next = "grantd customer show ID, with customer_id, says whether the customer is locked or muted, and until when; " + next
	}
	return meaning, next
}

// refusesPartnerToken reports whether the cause of the line is why a partner token was
// refused: by the endpoints of partners with invalid_token, and by the exchange with
// invalid_request. known says that it is a cause of package refusal: of these, only
// those of ends are about the token.
func refusesPartnerToken(x Explanation, known bool) bool {
	if x.PartnerTID == "" || x.Cause == "" || x.Error != "invalid_token" && x.Error != "invalid_request" {
		return false
	}
	switch refusal.Cause(x.Cause) {
	case refusal.Expired, refusal.Revoked, refusal.Void:
		return true
	}
	return !known
}

// explainPartnerToken explains why a partner token was refused. r is the reason of the
// cause, if it has one. There is no jti: the id of the token is its partner_token_id.
func explainPartnerToken(x Explanation, r refusal.Reason) (meaning, next string) {
	if meaning = r.Meaning; meaning == "" {
		meaning = "the partner token is refused: " + x.Cause
	}
	return meaning, "grantd partner token list ID, with partner_id, shows the token; then see A partner is refused in OPERATING.md"
}

// storeReason returns the reason of a store's cause, if the text names one.
func storeReason(cause string) string {
	word, _, _ := strings.Cut(cause, ":")
	return store.Cause(word).Reason()
}

// errorReasons explain an error whose line has no cause of package refusal.
var errorReasons = map[string]refusal.Reason{
	"invalid_request":         {Meaning: "the request is malformed", Next: "the response's error_description says what is wrong; note of the line may say more"},
	"unsupported_grant_type":  {Meaning: "grant_type is not one of grantd's", Next: "have the client send grant_type=client_credentials"},
	"unauthorized_client":     {Meaning: "the token belongs to another client, which alone may revoke it", Next: "an operator can: grantd token revoke"},
	"invalid_target":          {Meaning: "resource or audience is not one that the caller may have", Next: "compare it with resources in grantd client show ID; for a partner, see the orgs that agreed: grantd partner orgs ID"},
	"insufficient_scope":      {Meaning: "the bearer token lacks a scope", Next: "scope of the line is what it needs; have the client request it, and if it may not: grantd client update ID --scope, with the whole list"},
	"access_denied":           {Meaning: "the caller may not do this", Next: "for introspection, make the client a resource server: grantd client update ID --introspect; for a partner, see A partner is refused in OPERATING.md"},
	"no_token":                {Meaning: "the request had no bearer token", Next: "have the caller send Authorization: Bearer; if it does, a proxy removes the header"},
	"invalid_token":           {Meaning: "the bearer token is not active, or not accepted here", Next: "grantd token explain, with the token"},
	"too_many_requests":       {Meaning: "the caller is over a limit", Next: "see Limits in OPERATING.md; grantd_limit_hits_total names the limit"},
	"temporarily_unavailable": {Meaning: "grantd could not serve the request: the store failed (of grantd edge: the server), or too much was in progress", Next: "look at /readyz and at cause; the caller should try again"},
	"caller_hung_up":          {Meaning: "the caller hung up before the response, so nothing was sent", Next: "compare duration_us of the line with the caller's timeout"},
	"verification_required":   {Meaning: "the scopes need a verification code", Next: "have the app verify the customer first: see APP_GUIDE.md"},
	"invalid_verification":    {Meaning: "the verification code is wrong, used or expired, or of another customer or client", Next: "have the customer ask for a new code; grantd customer show ID says whether the customer is locked"},
	"not_found":               {Meaning: "there is nothing at this path, or no such record", Next: "check the path, and the id in it"},
	"method_not_allowed":      {Meaning: "the path does not support this method", Next: "the token endpoints take POST"},
	"too_large":               {Meaning: "the body is too large", Next: "see the bounds in OPERATING.md"},
	"unsupported_media_type":  {Meaning: "the Content-Type or Content-Encoding is not supported", Next: "the response's error_description names the right one"},
}
