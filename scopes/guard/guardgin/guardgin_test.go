package guardgin_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/scopes/guard"
	"github.com/grantd/grantd/scopes/guard/guardgin"
)

// tokens are those that the authorization server of the tests knows.
var tokens = map[string]string{
	"client":   `{"active":true,"exp":4102444800,"token_use":"client","sub":"client:1","scope":"users:read"}`,
	"customer": `{"active":true,"exp":4102444800,"token_use":"customer","sub":"customer:1","scope":"users:read","auth_time":1687436420,"resources":[{"type":"card","ids":["12"]}]}`,
	"fresh":    `{"active":true,"exp":4102444800,"token_use":"customer","sub":"customer:1","scope":"users:read","auth_time":4102444800}`,
}

// newGuard returns a guard of an authorization server without a stream.
func newGuard(t testing.TB) *guard.Guard {
	t.Helper()
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet {
			_, _ = fmt.Fprintf(w, `{"issuer":%q,"introspection_endpoint":%q}`, s.URL, s.URL+"/oauth/introspect")
			return
		}
		response := tokens[r.PostFormValue("token")]
		if response == "" {
			response = `{"active":false}`
		}
		_, _ = w.Write([]byte(response))
	}))
	t.Cleanup(s.Close)
	g, err := guard.New(guard.Config{
		Issuer: s.URL, ClientID: "cards", Secret: "secret", NoStream: true, Log: slog.New(slog.DiscardHandler), Resource: "https://api.example.com",
		TokenUses: []string{guard.UseClient, guard.UseCustomer}, Enforces: []string{guard.EnforceResources},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

func TestRoutes(t *testing.T) {
	gin.SetMode(gin.TestMode)
	g := newGuard(t)
	r := gin.New()
	reached := 0
	hello := func(c *gin.Context) {
		reached++
		fromContext, ok := guard.FromContext(c.Request.Context())
		if !ok || fromContext != guardgin.Token(c) {
			t.Errorf("the token in the context is %v, and that of gin is %v", fromContext, guardgin.Token(c))
		}
		c.String(http.StatusOK, "hello %s", guardgin.Token(c).Subject)
	}
	customers := guardgin.RequireUse(g, []string{guard.UseCustomer}, "users:read")
	api := r.Group("/api", guardgin.Require(g, "users:read"))
	api.GET("/users", hello)
	api.POST("/users", hello)
	r.GET("/write", guardgin.Require(g, "users:read", "users:write"), hello)
	r.GET("/customer", customers, hello)
	r.GET("/pay", customers, guardgin.MaxAge(5*time.Minute), hello)
	r.GET("/cards/:id", customers, func(c *gin.Context) {
		if !guardgin.Allowed(c, "card", c.Param("id")) {
			c.AbortWithStatus(http.StatusNotFound)
			return
		}
		hello(c)
	})
	r.GET("/open", func(c *gin.Context) {
		c.String(http.StatusOK, "%v %v", guardgin.Token(c) == nil, guardgin.Allowed(c, "card", "12"))
	})
	r.Match([]string{"GET", "HEAD", "OPTIONS"}, g.MetadataPath(), guardgin.Metadata(g))

	for _, row := range []struct {
		rule, method, path, token, body string
		status                          int
		challenge                       string // part of it
	}{
		{"no token", "GET", "/api/users", "", "", 401, `scope="users:read"`},
		{"a token", "GET", "/api/users", "client", "hello client:1", 200, ""},
		{"POST", "POST", "/api/users", "client", "hello client:1", 200, ""},
		{"HEAD where there is only GET", "HEAD", "/api/users", "client", "", 404, ""},
		{"an unknown token", "GET", "/api/users", "unknown", "", 401, `error="invalid_token"`},
		{"a missing scope", "GET", "/write", "client", "", 403, `scope="users:read users:write"`},
		{"a customer where clients are expected", "GET", "/api/users", "customer", "", 403, `error="insufficient_scope"`},
		{"a token in the query", "GET", "/api/users?access_token=client", "", "", 400, `error="invalid_request"`},
		{"a customer", "GET", "/customer", "customer", "hello customer:1", 200, ""},
		{"a code too long ago", "GET", "/pay", "customer", "", 401, `max_age="300"`},
		{"a code just now", "GET", "/pay", "fresh", "hello customer:1", 200, ""},
		{"a card of the token", "GET", "/cards/12", "customer", "hello customer:1", 200, ""},
		{"another card", "GET", "/cards/13", "customer", "", 404, ""},
		{"no guard", "GET", "/open", "client", "true false", 200, ""},
		{"metadata", "GET", "/.well-known/oauth-protected-resource", "", `"resource":"https://api.example.com"`, 200, ""},
	} {
		t.Run(row.rule, func(t *testing.T) {
			reached = 0
			request := httptest.NewRequest(row.method, row.path, nil)
			if row.token != "" {
				request.Header.Set("Authorization", "Bearer "+row.token)
			}
			w := httptest.NewRecorder()
			r.ServeHTTP(w, request)
			if w.Code != row.status || !strings.Contains(w.Body.String(), row.body) || !strings.Contains(w.Header().Get("WWW-Authenticate"), row.challenge) {
				t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
			}
			if wants := strings.HasPrefix(row.body, "hello"); wants != (reached == 1) {
				t.Errorf("the handler was called %d times", reached)
			}
			if w.Header().Get("WWW-Authenticate") != "" && w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", w.Header())
			}
		})
	}
}

// Middleware that came before sees the status of a refusal, as logs need it.
func TestOuterMiddleware(t *testing.T) {
	gin.SetMode(gin.TestMode)
	r := gin.New()
	status, aborted := 0, false
	r.Use(func(c *gin.Context) {
		c.Next()
		status, aborted = c.Writer.Status(), c.IsAborted()
	})
	r.GET("/", guardgin.Require(newGuard(t)), func(c *gin.Context) { c.String(http.StatusTeapot, "") })
	r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	if status != http.StatusUnauthorized || !aborted {
		t.Errorf("status %d, aborted %v", status, aborted)
	}
}
