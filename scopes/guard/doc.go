// Package guard protects an API with the tokens of a grantd. It is what a resource
// server in Go imports:
//
//	g, err := guard.New(guard.Config{Issuer: "https://auth.example.com", ClientID: "users-api", SecretFile: "/run/secrets/users-api"})
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer g.Close()
//	http.Handle("GET /users", g.Require("users:read")(users))
//
// A token that was checked before costs a look-up in a map. A token that was ended is
// refused within a second, because the guard follows the revocations of the
// authorization server. When it cannot follow them, it asks for each token. When it
// cannot ask either, it refuses with 503. It never guesses.
//
// In a handler, FromContext returns the token. Look at Token.Use before anything else if
// the API accepts more than tokens of clients: a token of a customer reaches one
// customer, and the guard cannot know which rows of a database that is. Allowed says
// which objects a restricted token reaches, and MaxAge asks for a code that was entered
// lately. Package guardgin has the same for gin. For gRPC and everything else there is
// Guard.Check. The guide beside this package, GUARD.md, shows each of them.
//
// The package owns the check of a token and its form in HTTP: middleware, challenges,
// metadata. It does not issue tokens, and knows nothing of the server except its public
// API. It imports the standard library and a cache.
//
// How the parts work together: follower keeps a link (one stream of revocations) open,
// which tells view what was ended. lookup finds a response in cache and asks view
// whether it still counts; if not, flights ask client. rules judge what parseToken read.
// readBearer and challenge are the part that speaks HTTP to callers.
package guard
