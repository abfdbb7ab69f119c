package gateways

import "slices"

// forged is in every header that a caller made up.
const forged = "203.0.113.66"

// lies are the headers with which a caller could say something about itself, or about
// another request, that only the gateway may say.
var lies = []string{
	"X-Auth-Client-Id: " + forged, "X-Auth-Subject: " + forged, "X-Auth-Scope: " + forged, "X-Auth-Token-Use: " + forged,
	"X-Auth-Customer-Id: " + forged, "X-Auth-Org-Id: " + forged, "X-Auth-Partner-Id: " + forged,
	"x-auth-subject: " + forged, "X_Auth_Subject: " + forged, "X-Auth_Subject: " + forged, "X_AUTH_CUSTOMER_ID: " + forged, "X_Auth-Partner_Id: " + forged, "X.Auth.Org.Id: " + forged,
	"X-Forwarded-For: " + forged, "X-Forwarded-For: " + here + ", " + forged, "X-Forwarded-Host: " + forged, "X-Forwarded-Proto: " + forged,
	"X-Forwarded-Port: " + forged, "X-Forwarded-Method: " + forged, "X-Forwarded-Uri: /" + forged, "X-Forwarded-Prefix: /" + forged, "X_Forwarded_For: " + forged,
	"X-Forwarded-Server: " + forged, "X-Forwarded-Ssl: " + forged, "X-Forwarded-User: " + forged, "X-Forwarded-Client-Cert: " + forged, "X-Original-Host: " + forged,
	"X-Original-Method: " + forged, "X-Original-URI: /" + forged, "X-Original-URL: /" + forged, "X-Rewrite-URL: /" + forged,
	"X-Real-IP: " + forged, "X_Real_IP: " + forged, "Forwarded: for=" + forged,
}

// reading are lies that would let a token on behalf of an org pass, if anybody
// believed them.
var reading = []string{
	"X-Forwarded-For: " + here, "X-Real-IP: " + here, "Forwarded: for=" + here, "X_Real_IP: " + here, "X_Forwarded_For: " + here,
	"X-Forwarded-Method: GET", "X-Forwarded-Uri: /cards/12", "X-Original-Method: GET", "X-Original-URI: /cards/12",
	"X_Forwarded_Method: GET", "X_Original_Method: GET", "X_Original_URI: /cards/12", "X-HTTP-Method-Override: GET",
}

// table returns the cases of single requests.
func (c *cases) table() []row {
	return slices.Concat(c.tokenRows(), c.restrictedRows(), c.pathRows(), c.headerRows(), c.methodRows())
}

func (c *cases) tokenRows() []row {
	authorization := func(value string) request { return request{lines: []string{"Authorization: " + value}} }
	return []row{
		{"good", request{token: c.good}, 200, "", shop},
		{"scheme in lower case", authorization("bearer " + c.good), 200, "", shop},
		{"scheme in capitals", authorization("BEARER " + c.good), 200, "", shop},
		{"no token", request{}, 401, plain, nil},
		{"another scheme", authorization("Basic " + c.good), 401, plain, nil},
		{"no token after the scheme", authorization("Bearer"), 401, invalid, nil},
		{"garbage", request{token: "rubbish"}, 401, invalid, nil},
		{"one character off", request{token: flipped(c.good)}, 401, invalid, nil},
		{"expired", request{token: c.expired}, 401, invalid, nil},
		{"two headers", request{token: c.good, lines: []string{"Authorization: Bearer " + c.good}}, 401, invalid, nil},
		{"two headers, the first is wrong", request{token: "rubbish", lines: []string{"Authorization: Bearer " + c.good}}, 401, invalid, nil},
		{"two tokens in a header", authorization("Bearer " + c.good + ", Bearer " + c.good), 401, invalid, nil},
		{"token in the query", request{path: "/cards/12?access_token=" + c.good}, 401, plain, nil},
		{"wrong scope", request{token: c.narrow}, 403, lacking + `, scope="cards"`, nil},
		{"wrong scope for the other location", request{path: "/accounts/1", token: c.cardsOnly}, 403, lacking + `, scope="accounts"`, nil},
		{"the other location", request{path: "/accounts/1", token: c.good}, 200, "", shop},
		{"customer", request{token: c.customer}, 200, "", customer},
		{"customer where only clients are served", request{path: "/accounts/1", token: c.customer}, 403, lacking, nil},
		{"not guarded", request{path: "/public/1"}, 200, "", nobody},
		{"not guarded, with a token", request{path: "/public/1", token: c.good}, 200, "", nobody},
		{"not served", request{path: "/other/1", token: c.good}, 404, "", nil},
	}
}

// flipped returns the token with another last character.
func flipped(token string) string {
	last := byte('A')
	if token[len(token)-1] == last {
		last = 'B'
	}
	return token[:len(token)-1] + string(last)
}

// restrictedRows: tokens on behalf of an org read only, where and from where they may.
func (c *cases) restrictedRows() []row {
	return []row{
		{"on behalf", request{token: c.onBehalf}, 200, "", onBehalf},
		{"on behalf, with a query", request{token: c.onBehalf, path: "/cards/12?limit=1&x=%2f"}, 200, "", onBehalf},
		{"on behalf, HEAD", request{token: c.onBehalf, method: "HEAD"}, 200, "", onBehalf},
		{"on behalf, escaped letter", request{token: c.onBehalf, path: "/c%61rds/12"}, 200, "", onBehalf},
		{"on behalf, POST", request{token: c.onBehalf, method: "POST"}, 403, lacking, nil},
		{"on behalf, unknown method", request{token: c.onBehalf, method: "PURGE"}, 403, lacking, nil},
		{"on behalf, other endpoint", request{token: c.onBehalf, path: "/cards/12/pin"}, 403, lacking, nil},
		{"on behalf, where only clients are served", request{token: c.onBehalf, path: "/accounts/1"}, 403, lacking, nil},
		{"on behalf, from elsewhere", request{token: c.onBehalf, from: elsewhere}, c.elsewhere.status, c.elsewhere.challenge, nil},
		{"on behalf, from elsewhere and lying", request{token: c.onBehalf, from: elsewhere, lines: reading}, c.elsewhere.status, c.elsewhere.challenge, nil},
		{"on behalf, POST and lying", request{token: c.onBehalf, method: "POST", lines: reading}, 403, lacking, nil},
		{"on behalf, other endpoint and lying", request{token: c.onBehalf, path: "/cards/12/pin", lines: reading}, 403, lacking, nil},
	}
}

// pathRows: a path that can be read in two ways reaches no API, also with a token for
// one of the two, and also where nothing is guarded. Other paths reach it as they are.
func (c *cases) pathRows() []row {
	var rows []row
	for _, path := range []string{
		"/public/../cards/12", "/public/%2e%2e/cards/12", "/public/%2E%2e/cards/12", "/public/.%2e/cards/12", "/public/..%2fcards/12", "/public/..%2Fcards/12",
		"/public/..%5ccards/12", `/public/..\cards/12`, "/public/..;/cards/12", "/public/..%3b/cards/12", "/public/..%00/cards/12", "/public/%252e%252e/cards/12",
		"/public/..%c0%afcards/12", "/public//cards/12", "/public/./12", "/public/;/12", "/public/12%00", "/public/12%0d%0aX-Auth-Subject:x", "/public/..", "/public/.", "/public/..?x",
		"/accounts/../cards/12", "/cards/../accounts/1", "/cards/..%2faccounts/1", `/cards\12`, "/cards/1%2f2", "/cards/1%5c2", `/cards/1\2`, "/cards;x/12", "/cards/12;x", "//cards/12", "/cards//12",
		"/%2e%2e/cards/12", "/cards/%2e%2e/cards/12", "/cards/12#", "/public/#/../../cards/12", "/cards/1%232",
		"/public/%e0%80%ae%e0%80%ae/cards/12", "/public/%E0%80%AF/12", "/public/%f0%80%80%ae./cards/12",
	} {
		rows = append(rows, row{"path " + path, request{path: path, token: c.good}, 403, "", nil})
	}
	return append(rows,
		row{"path of an on-behalf token with ..", request{path: "/cards/../cards/12", token: c.onBehalf}, 403, "", nil},
		row{"path with bytes that are not ASCII", request{path: "/public/\xc0\xae\xc0\xae/cards/12", token: c.good}, 403, "", nil},
		row{"Host with a path", request{path: "/public/1", host: hostName + "/cards/12"}, 400, "", nil},
		row{"path that climbs out", request{path: "/../../cards/12", token: c.good}, 403, "", nil},
		row{"path with an escaped letter", request{path: "/c%61rds/12", token: c.good}, 200, "", shop},
		row{"path with an escaped letter, no token", request{path: "/c%61rds/12"}, 401, plain, nil},
		row{"path without an id", request{path: "/cards", token: c.good}, 200, "", shop},
		row{"path without an id, no token", request{path: "/cards"}, 401, plain, nil},
		row{"path with a slash at the end, no token", request{path: "/cards/"}, 401, plain, nil},
		row{"path that begins alike", request{path: "/cardsandmore", token: c.good}, 404, "", nil},
		row{"path that begins like what is not guarded", request{path: "/publicity"}, 404, "", nil},
		row{"path in capitals", request{path: "/CARDS/12", token: c.good}, 404, "", nil},
		row{"path with a dot", request{path: "/cards/..12.x", token: c.good}, 200, "", shop},
		row{"path with an escaped question mark", request{path: "/cards/1%3f2?x=1", token: c.good}, 200, "", shop},
		row{"path with UTF-8", request{path: "/cards/%c3%a9%20+=", token: c.good}, 200, "", shop},
		row{"path in braces", request{path: "/public/{/../../cards/12?}", token: c.good}, 403, "", nil}, // Caddy's placeholders
		row{"query in braces", request{path: "/cards/12?x={http.request.host}&{}", token: c.good}, 200, "", shop},
		row{"query like a path", request{path: "/cards/12?next=/../..//;%2f%5c%00%2e%2e&x=%zz", token: c.good}, 200, "", shop},
		row{"query like a path, no token", request{path: "/cards/12?/public/"}, 401, plain, nil},
		row{"whole URI", request{path: "https://api.example.com/cards/12"}, 401, plain, nil},
		row{"the gateway's own location", request{path: "/grantd/cards", token: c.good}, 404, "", nil},
	)
}

// headerRows: what a caller says about itself reaches neither the API nor the decision.
func (c *cases) headerRows() []row {
	return []row{
		{"lies", request{token: c.good, lines: lies}, 200, "", shop},
		{"lies of a customer", request{token: c.customer, lines: lies}, 200, "", customer},
		{"lies where nothing is guarded", request{path: "/public/1", lines: lies}, 200, "", nobody},
		{"lies without a token", request{lines: lies}, 401, plain, nil},
		{"X-Auth headers called hop-by-hop", request{token: c.good, lines: []string{"Connection: close, X-Auth-Subject, X-Auth-Token-Use, X-Auth-Customer-Id"}}, 200, "", shop},
		{"address called hop-by-hop", request{token: c.onBehalf, from: elsewhere, lines: []string{"Connection: close, X-Real-IP, X-Forwarded-For"}}, c.elsewhere.status, c.elsewhere.challenge, nil},
		{"method called hop-by-hop", request{token: c.onBehalf, method: "POST", lines: []string{"Connection: close, X-Original-Method, X-Forwarded-Method"}}, 403, lacking, nil},
		{"Authorization called hop-by-hop", request{token: c.narrow, lines: []string{"Connection: close, Authorization"}}, 403, lacking + `, scope="cards"`, nil},
	}
}

// methodRows: the method of the request is that of the decision.
func (c *cases) methodRows() []row {
	return []row{
		{"HEAD", request{method: "HEAD", token: c.good}, 200, "", shop},
		{"HEAD, no token", request{method: "HEAD"}, 401, plain, nil},
		{"POST", request{method: "POST", token: c.good, body: 10}, 200, "", shop},
		{"POST, no token", request{method: "POST", body: 10}, 401, plain, nil},
		{"OPTIONS, no token", request{method: "OPTIONS"}, 401, plain, nil},
		{"unknown method", request{method: "PURGE", token: c.good}, 200, "", shop},
		{"unknown method, no token", request{method: "PURGE"}, 401, plain, nil},
	}
}
