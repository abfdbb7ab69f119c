// An API in Go. Its guard asks grantd about a token once and remembers it until it ends.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/grantd/grantd/scopes/guard"
)

func main() {
	g, err := guard.New(guard.Config{Issuer: os.Getenv("ISSUER"), ClientID: os.Getenv("CLIENT_ID"), SecretFile: "api.secret"})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("GET /users", g.Require("users:read")(http.HandlerFunc(listUsers)))

	at := "127.0.0.1:" + os.Getenv("PORT")
	fmt.Println("ready api=http://" + at)
	log.Fatal(http.ListenAndServe(at, nil))
}

func listUsers(w http.ResponseWriter, r *http.Request) {
	token, _ := guard.FromContext(r.Context())
	fmt.Fprintln(w, "hello,", token.Subject)
}
