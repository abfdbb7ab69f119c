package oauth

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/web"
)

// metadata is the document of RFC 8414 §2. Without Options.MCP it has no
// response_types_supported: there is no response type, and §3.2 forbids empty lists.
type metadata struct {
	Issuer                string   `json:"issuer"`
	TokenEndpoint         string   `json:"token_endpoint"`
	TokenMethods          []string `json:"token_endpoint_auth_methods_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	Scopes                []string `json:"scopes_supported,omitempty"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	IntrospectionMethods  []string `json:"introspection_endpoint_auth_methods_supported"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	RevocationMethods     []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationEvents      string   `json:"revocation_events_endpoint"` // grantd's own: server/stream
	Keys                  string   `json:"jwks_uri"`
	SigningAlgorithms     []string `json:"introspection_signing_alg_values_supported"` // RFC 9701 §7

	// Only with Options.MCP. The official MCP SDKs insist on these members even for
	// the client credentials grant: the TypeScript SDK refuses a document without
	// the first two, and the Go SDK one without the third.
	AuthorizationEndpoint string   `json:"authorization_endpoint,omitempty"`
	ResponseTypes         []string `json:"response_types_supported,omitzero"` // empty, not nil: there is none
	ChallengeMethods      []string `json:"code_challenge_methods_supported,omitempty"`
}

// document is the encoded metadata of a catalogue.
type document struct {
	catalogue *scopes.Catalogue
	body      []byte
}

// Metadata serves GET /.well-known/oauth-authorization-server. Anybody may call it,
// so the document is encoded once for each catalogue.
func (e *Endpoints) Metadata(c *gin.Context) error {
	catalogue := e.o.Catalogue()
	d := e.document.Load()
	if d == nil || d.catalogue != catalogue {
		encoded, err := json.Marshal(e.metadata(catalogue))
		if err != nil {
			return err
		}
		d = &document{catalogue, encoded}
		e.document.Store(d)
	}
	body := web.NewBody()
	body.B = append(body.B, d.body...)
	web.Send(c, 200, body)
	return nil
}

func (e *Endpoints) metadata(catalogue *scopes.Catalogue) metadata {
	issuer := e.o.Issuer()
	base := strings.TrimSuffix(issuer, "/")
	m := metadata{
		Issuer:                issuer,
		TokenEndpoint:         base + PathToken,
		TokenMethods:          auth.Methods,
		GrantTypes:            GrantTypes,
		Scopes:                catalogue.Names(),
		IntrospectionEndpoint: base + PathIntrospect,
		IntrospectionMethods:  append([]string{"Bearer"}, auth.Methods...),
		RevocationEndpoint:    base + PathRevoke,
		RevocationMethods:     auth.Methods,
		RevocationEvents:      base + PathRevocations,
		Keys:                  base + PathKeys,
		SigningAlgorithms:     []string{"ES256"},
	}
	if e.o.MCP {
		m.AuthorizationEndpoint = base + PathAuthorize
		m.ResponseTypes = []string{}
		m.ChallengeMethods = []string{"S256"}
	}
	return m
}

// MetadataPaths returns the paths of the document: the well-known path and, if
// the issuer has a path, the well-known path followed by the issuer's (RFC 8414
// §3.1).
func MetadataPaths(issuer string) []string {
	paths := []string{PathMetadata}
	if u, err := url.Parse(issuer); err == nil && strings.Trim(u.Path, "/") != "" {
		paths = append(paths, PathMetadata+"/"+strings.Trim(u.Path, "/"))
	}
	return paths
}
