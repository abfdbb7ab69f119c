package oauth

import (
	"net/netip"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/web"
)

var introspectSpec = web.Spec{Params: withClientAuth(
	web.Param{Name: paramToken, Kind: web.Opaque},
	web.Param{Name: paramTokenHint, Kind: web.Opaque}, // ignored: one lookup finds every kind (RFC 7662 §2.1)
	web.Param{Name: paramSourceIP, Kind: web.Single},
	web.Param{Name: paramFollow, Kind: web.Single},
)}

var (
	errNoToken  = apierr.New(apierr.InvalidRequest, "token is missing")
	errFollow   = apierr.New(apierr.InvalidRequest, "follow has one value: true. Without the parameter, the response has no void keys")
	errSourceIP = apierr.New(apierr.InvalidRequest, "source_ip is not an IP address")
)

// Introspection is what a request to introspect asks for. 'grantd edge' reads it as
// this server does.
type Introspection struct {
	Token  string
	Follow bool
	Caller auth.Presented
	source string
}

// ReadIntrospection reads the request. The source address is not checked yet: a caller
// must authenticate first. Errors: apierr.InvalidRequest, and those of web.ReadParams.
func ReadIntrospection(c *gin.Context) (Introspection, error) {
	p, err := web.ReadParams(c, &introspectSpec)
	if err != nil {
		return Introspection{}, err
	}
	follow := p.Get(paramFollow)
	asked := Introspection{Token: p.Get(paramToken), Follow: follow == followTrue, source: p.Get(paramSourceIP)}
	switch {
	case asked.Token == "":
		return Introspection{}, errNoToken
	case follow != "" && !asked.Follow:
		return Introspection{}, errFollow
	}
	asked.Caller = readClientAuth(c, p)
	return asked, nil
}

// Source returns the address of the caller of the resource server; the zero Addr if it
// sent none. Errors: apierr.InvalidRequest.
func (i Introspection) Source() (netip.Addr, error) {
	if i.source == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(i.source)
	if err != nil {
		return a, errSourceIP
	}
	return a.Unmap().WithZone(""), nil
}
