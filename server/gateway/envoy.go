package gateway

import (
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/refusal"
)

// PathEnvoy is the beginning of the paths that Envoy asks over HTTP. Its filter ext_authz
// cannot say in a header what the original request was. It uses the method of the original
// request, and puts path_prefix before its path and query (Envoy's API reference,
// extensions.filters.http.ext_authz.v3.HttpService: path_prefix). So path_prefix is
// PathEnvoy and the name of a policy.
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

// readEnvoy returns the question of a request of Envoy: what the policy needs, about the
// original request as it was sent, before anything is decoded or cleaned. The original
// query is not read.
// Errors: apierr.AccessDenied.
func (h *Handler) readEnvoy(c *gin.Context) (question, error) {
	r := c.Request
	name, uri, ok := splitTarget(r.RequestURI)
	if !ok {
		return question{}, errEnvoyPath
	}
	need, ok := h.o.Policies[name]
	if !ok {
		return question{}, errUnknownPolicy
	}
	return question{need, Original{Method: r.Method, URI: uri, From: lastForwarded(r.Header["X-Forwarded-For"], h.o.Proxies)}, r.Header["Authorization"]}, nil
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
