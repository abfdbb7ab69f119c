// An agent that calls a tool of an MCP server, once for each line of input.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/auth/extauth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

func main() {
	ctx, endpoint := context.Background(), os.Getenv("MCP_URL")
	handler, err := extauth.NewClientCredentialsHandler(&extauth.ClientCredentialsHandlerConfig{
		Credentials: &oauthex.ClientCredentials{
			Issuer:           os.Getenv("ISSUER"), // no other server gets the secret
			ClientID:         os.Getenv("CLIENT_ID"),
			ClientSecretAuth: &oauthex.ClientSecretAuth{ClientSecret: os.Getenv("CLIENT_SECRET")},
		},
		HTTPClient: &http.Client{Transport: withResource(endpoint)},
	})
	if err != nil {
		log.Fatal(err)
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1.0.0"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: endpoint, OAuthHandler: handler}, nil)
	if err != nil {
		log.Fatal(err)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "whoami"})
		if err != nil {
			log.Fatal(err)
		}
		for _, part := range result.Content {
			if text, ok := part.(*mcp.TextContent); ok {
				fmt.Println(text.Text)
			}
		}
	}
}

// withResource adds the parameter resource (RFC 8707) to token requests. The SDK
// leaves it out, although MCP requires it.
type withResource string

func (resource withResource) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		form := string(body) + "&" + url.Values{"resource": {string(resource)}}.Encode()
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(form)), int64(len(form))
	}
	return http.DefaultTransport.RoundTrip(r)
}
