// An MCP server that serves only callers with a token of grantd.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

const scope = "users:read" // what a caller needs

func main() {
	grantd, resource := os.Getenv("ISSUER"), os.Getenv("MCP_URL")
	at, err := url.Parse(resource)
	if err != nil || at.Host == "" || at.Path == "" {
		log.Fatal("MCP_URL must be the URL at which clients call this server")
	}

	server := mcp.NewServer(&mcp.Implementation{Name: "notes", Version: "1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "whoami", Description: "Says who is calling"}, whoami)
	// Without sessions, each message is a request with a token. A session would
	// have a stream that stays open after its token has ended.
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{Stateless: true})

	// RFC 9728 section 3.1: the path of the resource follows the well-known path.
	about := &url.URL{Scheme: at.Scheme, Host: at.Host, Path: "/.well-known/oauth-protected-resource" + at.Path}
	asker := introspector{url: grantd + "/oauth/introspect", id: os.Getenv("CLIENT_ID"), secret: os.Getenv("CLIENT_SECRET")}
	protect := auth.RequireBearerToken(asker.verify, &auth.RequireBearerTokenOptions{
		ResourceMetadataURL: about.String(),
		Scopes:              []string{scope},
	})

	mux := http.NewServeMux()
	mux.Handle(at.Path, protect(handler))
	mux.Handle(about.Path, auth.ProtectedResourceMetadataHandler(&oauthex.ProtectedResourceMetadata{
		Resource:             resource,
		AuthorizationServers: []string{grantd},
		ScopesSupported:      []string{scope},
	}))
	s := &http.Server{Addr: at.Host, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	log.Printf("ready mcp=%s", resource)
	log.Fatal(s.ListenAndServe())
}

func whoami(_ context.Context, r *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	text := "you are " + r.Extra.TokenInfo.UserID
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
}

// introspector asks grantd about tokens (RFC 7662).
type introspector struct{ url, id, secret string }

var errUnknown = errors.New("cannot ask whether the token is active: try again")

// verify is an auth.TokenVerifier. Errors, which callers can read:
// auth.ErrInvalidToken, and errUnknown if grantd does not respond (the SDK then
// responds with 500).
func (i introspector) verify(ctx context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	body := strings.NewReader(url.Values{"token": {token}}.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, i.url, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(i.id, i.secret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Print(err)
		return nil, errUnknown
	}
	defer response.Body.Close()
	var told struct {
		Active bool   `json:"active"`
		Scope  string `json:"scope"`
		Sub    string `json:"sub"`
		Exp    int64  `json:"exp"`
		Aud    any    `json:"aud"` // a string or a list
	}
	if err := json.NewDecoder(response.Body).Decode(&told); err != nil || response.StatusCode != http.StatusOK {
		log.Printf("introspection: status %d: %v", response.StatusCode, err)
		return nil, errUnknown
	}
	// A token for others is not active to this server, because grantd knows its URL.
	// A token without aud is for every resource server: MCP requires that it is
	// refused.
	if !told.Active || told.Aud == nil {
		return nil, auth.ErrInvalidToken
	}
	return &auth.TokenInfo{Scopes: strings.Fields(told.Scope), Expiration: time.Unix(told.Exp, 0), UserID: told.Sub}, nil
}
