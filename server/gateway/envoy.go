package gateway

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/refusal"
)

// PathEnvoy is what the paths begin with that Envoy asks. Its filter ext_authz over HTTP
// cannot say in a header what the original request was. It sends the method and the path
// of the request itself, the path with path_prefix before it and with its query (Envoy's
// API reference, extensions.filters.http.ext_authz.v3.HttpService: path_prefix). So
// path_prefix is PathEnvoy and the name of a policy.
//
// Envoy sends the headers Host, Content-Length: 0 and Authorization, and those that
// allowed_headers names (same reference, ExtAuthz: allowed_headers). Several headers of one
// name become one with commas. X-Forwarded-For must be named, or the address of the
// caller is not stated. Envoy then adds its own address behind it, as to all requests
// that it makes itself (AsyncStreamImpl::sendHeaders in its source): that address must
// be one of the trusted proxies.
const PathEnvoy = Path + "/envoy/"

var (
	errEnvoyPath     = apierr.New(apierr.AccessDenied, "the path must be "+PathEnvoy+", the name of a policy, and the path of the original request").Because(refusal.GatewayPath)
	errUnknownPolicy = apierr.New(apierr.AccessDenied, "there is no policy with the name in the path: see forward_auth.policies, or --forward-auth-policy of grantd edge").Because(refusal.UnknownPolicy)
)

// readEnvoy returns what the request of Envoy asks: the policy, and the original request
// as it was sent. target is the target of the request line, before anything is decoded
// or cleaned. The original query is not read.
// Errors: apierr.AccessDenied.
func (h *Handler) readEnvoy(r *http.Request) (Need, Original, error) {
	name, uri, ok := splitTarget(r.RequestURI)
	if !ok {
		return Need{}, Original{}, errEnvoyPath
	}
	need, ok := h.o.Policies[name]
	if !ok {
		return Need{}, Original{}, errUnknownPolicy
	}
	return need, Original{Method: r.Method, URI: uri, From: lastForwarded(r.Header["X-Forwarded-For"], h.o.Proxies)}, nil
}

// splitTarget divides the target of a request of Envoy. The name ends at the first
// slash, with which the original URI begins.
func splitTarget(target string) (policy, uri string, ok bool) {
	rest, ok := strings.CutPrefix(target, PathEnvoy)
	at := strings.IndexByte(rest, '/')
	if !ok || at < 0 {
		return "", "", false
	}
	return rest[:at], rest[at:], true
}

// ServeEnvoy is Serve for a request of Envoy.
func (h *Handler) ServeEnvoy(c *gin.Context) error {
	return h.serve(c, h.readEnvoy)
}
