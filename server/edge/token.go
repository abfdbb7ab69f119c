package edge

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/web"
)

// PathToken is the path of the token source.
const PathToken = "/token"

// Bounds of what a caller may ask for.
const (
	maxResources = 16
	maxResource  = 512 // bytes
)

// Names of the query parameters.
const (
	paramClientID = "client_id"
	paramScope    = "scope"
	paramResource = "resource"
)

var (
	errTokenQuery = apierr.New(apierr.InvalidRequest, "the query may hold client_id and scope, each once, and resource, and nothing else: a secret belongs in the Authorization header")
	errScopes     = apierr.New(apierr.InvalidScope, "scope must be names separated by single spaces")
	errResource   = apierr.New(apierr.InvalidTarget, "resource must be at most 16 absolute URIs without a fragment")
	errWhich      = apierr.New(apierr.InvalidRequest, "client_id is missing: this process has several clients (--token-client)")
	errNoClient   = apierr.New(apierr.InvalidRequest, "this process gets no tokens for the client: see --token-client")
)

// token serves GET /token: a token of a client, for a program that does not want to keep
// one. A token is more than what the other routes give away, so on TCP only a caller
// with the client's secret gets one: a port of loopback is open to every user and
// program of the machine, to web pages in a browser there, and to servers that fetch a
// URL for somebody. On the socket, the kernel admits only the user of this process.
func (e *Edge) token(c *gin.Context) error {
	k, err := readTokenQuery(c.Request.URL.RawQuery)
	if err != nil {
		return err
	}
	p := auth.Presented{Authorization: c.Request.Header["Authorization"]}
	if k.client == "" {
		if k.client, err = e.onlyClient(p); err != nil {
			return err
		}
	}
	client := e.clientOf(k.client)
	if client == nil {
		if !e.callers.socket { // a caller that is not authenticated learns nothing about clients
			return e.callers.authenticate(c, p)
		}
		return errNoClient
	}
	if err := e.callers.authenticate(c, p, client); err != nil {
		return err
	}
	web.EventOf(c).ClientID = client.id
	issued, left, err := e.source.get(c.Request.Context(), k, wantsFresh(c.Request.Header["Cache-Control"]))
	if err != nil {
		return err
	}
	body := web.NewBody()
	body.B = appendIssued(body.B, issued, left)
	web.Send(c, http.StatusOK, body)
	return nil
}

// appendIssued appends the response of RFC 6749 §5.1. The lifetime is what is left.
func appendIssued(b []byte, t issued, left time.Duration) []byte {
	b = web.AppendString(append(b, `{"access_token":`...), t.value)
	b = append(b, `,"token_type":"Bearer","expires_in":`...)
	b = strconv.AppendInt(b, int64(left/time.Second), 10)
	if t.scope != "" {
		b = web.AppendString(append(b, `,"scope":`...), t.scope)
	}
	return append(b, '}')
}

// onlyClient returns the client of a request that names none in its query: the client
// that authenticates, or the only one that there is.
func (e *Edge) onlyClient(p auth.Presented) (string, error) {
	if cred, _ := p.Credentials(); cred.ClientID != "" {
		return cred.ClientID, nil
	}
	if len(e.clients) > 1 && e.callers.socket {
		return "", errWhich
	}
	if len(e.clients) == 0 {
		return "", nil
	}
	return e.clients[0].id, nil
}

func (e *Edge) clientOf(id string) *secretFile {
	if i := slices.IndexFunc(e.clients, func(c *secretFile) bool { return c.id == id }); i >= 0 {
		return e.clients[i]
	}
	return nil
}

// readTokenQuery reads what the token is for.
// Errors: apierr.InvalidRequest, InvalidScope, InvalidTarget.
func readTokenQuery(query string) (k tokenKey, err error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return k, errTokenQuery
	}
	for name, given := range values {
		if name != paramClientID && name != paramScope && name != paramResource || name != paramResource && len(given) > 1 {
			return k, errTokenQuery
		}
	}
	set, err := scopes.Parse(values.Get(paramScope))
	if err != nil {
		return k, errScopes
	}
	slices.Sort(set)
	k = tokenKey{client: values.Get(paramClientID), scope: scopes.Join(set)}
	resources := slices.DeleteFunc(values[paramResource], func(s string) bool { return s == "" })
	slices.Sort(resources)
	if resources = slices.Compact(resources); len(resources) > maxResources {
		return k, errResource
	}
	for _, r := range resources {
		u, err := url.Parse(r)
		if err != nil || !u.IsAbs() || len(r) > maxResource || strings.ContainsAny(r, "#\r\n") {
			return k, errResource
		}
		k.resources += r + "\n"
	}
	return k, nil
}

// wantsFresh reports whether the caller has seen its token refused and wants another
// one: Cache-Control: no-cache, as for any cache (RFC 9111 §5.2.1.4).
func wantsFresh(lines []string) bool {
	for _, line := range lines {
		for directive := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(directive, " \t"), "no-cache") {
				return true
			}
		}
	}
	return false
}
