// Package gateway decides for a gateway (nginx, Apache, Traefik, Caddy, HAProxy, Envoy)
// whether it may pass a request on: the gateway sends the headers of the request to
// /forward-auth, and passes the request on if the response is 200. Envoy can also ask over
// gRPC. The package has the rules and the handlers. It finds tokens through an interface, so that the server and
// 'grantd edge' mount the same handlers. It knows nothing about how tokens are kept.
package gateway
