package guard

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// document is the metadata of a protected resource (RFC 9728 §2).
type document struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	ScopesSupported      []string `json:"scopes_supported,omitempty"`
	BearerMethods        []string `json:"bearer_methods_supported"`
}

// Metadata returns the handler of the resource's metadata (RFC 9728), by which a client
// that knows only the URL of the API finds the authorization server and the scopes. Mount
// it at MetadataPath, outside of Require: it is public, for web pages of any origin
// too. Without Config.Resource there is nothing to describe, and it responds with 404.
func (g *Guard) Metadata() http.Handler {
	body, _ := json.Marshal(document{ // texts have no error
		Resource: g.cfg.Resource, AuthorizationServers: []string{g.cfg.Issuer},
		ScopesSupported: g.cfg.ScopesSupported, BearerMethods: []string{"header"},
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		switch {
		case g.cfg.Resource == "":
			http.NotFound(w, r)
		case r.Method == http.MethodOptions: // the preflight of a web page
			h.Set("Access-Control-Allow-Methods", "GET, HEAD")
			h.Set("Access-Control-Allow-Headers", "*")
			w.WriteHeader(http.StatusNoContent)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD, OPTIONS")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		default:
			h.Set("Content-Type", "application/json")
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Cache-Control", "public, max-age=300")
			h.Set("Content-Length", strconv.Itoa(len(body)))
			_, _ = w.Write(body)
		}
	})
}

// MetadataPath returns the path at which clients look for Metadata: for the resource
// https://api.example.com/v1 it is /.well-known/oauth-protected-resource/v1.
func (g *Guard) MetadataPath() string {
	if at := metadataURL(g.cfg.Resource); at != nil {
		return at.EscapedPath()
	}
	return wellKnownResource
}
