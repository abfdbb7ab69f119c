package guard_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/grantd/grantd/scopes/guard"
)

// exampleServer is the authorization server of the examples. It knows the tokens that
// they present, and one resource server.
func exampleServer(resourceServer string) *authServer {
	return startFollowed(map[string]string{
		"gt_client":   active("client", `,"scope":"users:read","client_id":"shop"`),
		"gt_customer": active("customer", `,"scope":"cards payments","customer_id":"10001","resources":[{"type":"card","ids":["12"]}],"auth_time":1687436420`),
	}, resourceServer)
}

// call sends a request with the token to the handler, and prints the response.
func call(h http.Handler, target, token string) {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if challenge := w.Header().Get("WWW-Authenticate"); challenge != "" {
		fmt.Println(w.Code, challenge)
	} else {
		fmt.Println(w.Code, w.Body)
	}
}

func Example() {
	auth := exampleServer(`"client_id":"users-api","token_uses":["client"],"enforces":[],"resource":""`)
	defer auth.Close()

	g, err := guard.New(guard.Config{Issuer: auth.URL, ClientID: "users-api", Secret: "secret", Realm: "users"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()
	api := http.NewServeMux()
	api.Handle("GET /users", g.Require("users:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := guard.FromContext(r.Context())
		fmt.Fprintf(w, "the users, for %s", token.ClientID)
	})))

	call(api, "/users", "gt_client")
	call(api, "/users", "gt_unknown")
	call(api, "/users", "")
	// Output:
	// 200 the users, for shop
	// 401 Bearer realm="users", error="invalid_token", error_description="the token is not active, or is not for this resource server"
	// 401 Bearer realm="users", scope="users:read"
}

// An API for customers: the token says which customer, and the handler must not reach
// any other.
func ExampleGuard_RequireUse() {
	auth := exampleServer(`"client_id":"cards-api","token_uses":["client","customer"],"enforces":["resources"],"resource":""`)
	defer auth.Close()
	g, err := guard.New(guard.Config{
		Issuer: auth.URL, ClientID: "cards-api", Secret: "secret", Realm: "cards",
		TokenUses: []string{guard.UseClient, guard.UseCustomer}, Enforces: []string{guard.EnforceResources},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()

	cardsOf := func(customer string) []string { return []string{"12", "13"} } // of a database
	api := http.NewServeMux()
	api.Handle("GET /cards", g.RequireUse([]string{guard.UseCustomer}, "cards")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := guard.FromContext(r.Context())
		for _, card := range cardsOf(token.CustomerID) {
			if token.Allowed("card", card) {
				fmt.Fprintf(w, "card %s of customer %s", card, token.CustomerID)
			}
		}
	})))
	call(api, "/cards", "gt_customer")
	call(api, "/cards", "gt_client")
	// Output:
	// 200 card 12 of customer 10001
	// 403 Bearer realm="cards", error="insufficient_scope", error_description="tokens of this use (client, customer, on_behalf, partner, key) are not accepted here"
}

// A payment needs a code that the customer entered within the last five minutes.
func ExampleMaxAge() {
	auth := exampleServer(`"client_id":"payments-api","token_uses":["customer"],"enforces":["resources"],"resource":""`)
	defer auth.Close()
	g, err := guard.New(guard.Config{
		Issuer: auth.URL, ClientID: "payments-api", Secret: "secret", Realm: "payments",
		TokenUses: []string{guard.UseCustomer}, Enforces: []string{guard.EnforceResources},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()

	pay := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "paid") })
	call(g.RequireUse([]string{guard.UseCustomer}, "payments")(guard.MaxAge(5*time.Minute)(pay)), "/", "gt_customer")
	// Output:
	// 401 Bearer realm="payments", error="insufficient_user_authentication", error_description="the customer must enter a code again before this request", max_age="300"
}

// Check is for everything that is not HTTP, such as an interceptor of gRPC: the token
// comes from the metadata of the call.
func ExampleGuard_Check() {
	auth := exampleServer(`"client_id":"users-api","token_uses":["client"],"enforces":[],"resource":""`)
	defer auth.Close()
	g, err := guard.New(guard.Config{Issuer: auth.URL, ClientID: "users-api", Secret: "secret"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()

	intercept := func(ctx context.Context, bearer string, handle func(context.Context)) {
		token, err := g.Check(ctx, bearer, guard.Need{Scopes: []string{"users:read"}})
		var refusal *guard.Refusal
		if errors.As(err, &refusal) {
			fmt.Println(refusal.Status, refusal.Code) // 401: codes.Unauthenticated, 403: codes.PermissionDenied, 503: codes.Unavailable
			return
		}
		handle(guard.NewContext(ctx, token))
	}
	hello := func(ctx context.Context) {
		token, _ := guard.FromContext(ctx)
		fmt.Println("hello", token.ClientID)
	}
	intercept(context.Background(), "gt_client", hello)
	intercept(context.Background(), "gt_unknown", hello)
	// Output:
	// hello shop
	// 401 invalid_token
}

// NewContext puts a token where FromContext finds it: in the tests of a handler, no
// authorization server is needed.
func ExampleNewContext() {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := guard.FromContext(r.Context())
		fmt.Fprint(w, "hello ", token.Subject)
	})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r = r.WithContext(guard.NewContext(r.Context(), &guard.Token{Use: guard.UseClient, Subject: "client:shop"}))
	w := httptest.NewRecorder()
	hello.ServeHTTP(w, r)
	fmt.Println(w.Body)
	// Output: hello client:shop
}

// A client that knows only the URL of the API finds the authorization server in its
// metadata.
func ExampleGuard_Metadata() {
	auth := exampleServer(`"client_id":"users-api","token_uses":["client"],"enforces":[],"resource":"https://api.example.com/v1"`)
	defer auth.Close()
	g, err := guard.New(guard.Config{
		Issuer: auth.URL, ClientID: "users-api", Secret: "secret",
		Resource: "https://api.example.com/v1", ScopesSupported: []string{"users:read"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()
	http.NewServeMux().Handle(g.MetadataPath(), g.Metadata())
	fmt.Println(g.MetadataPath())
	// Output: /.well-known/oauth-protected-resource/v1
}
