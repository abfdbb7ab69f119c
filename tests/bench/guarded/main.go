// Command guarded is a gin program with two handlers: one that does nothing, and the
// same behind a guard. The benchmark compares them. It is no program to copy:
// scopes/guard/GUARD.md has those.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/scopes/guard"
	"github.com/grantd/grantd/scopes/guard/guardgin"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "guarded:", err)
		os.Exit(1)
	}
}

// run serves until the process is ended.
func run() error {
	var c guard.Config
	flag.StringVar(&c.Issuer, "issuer", "", "issuer of the tokens")
	flag.StringVar(&c.Upstream, "upstream", "", "URL of grantd")
	flag.StringVar(&c.ClientID, "id", "", "client id of this resource server")
	flag.StringVar(&c.SecretFile, "secret-file", "", "file with its secret")
	flag.Parse()
	g, err := guard.New(c)
	if err != nil {
		return err
	}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	ok := func(c *gin.Context) { c.String(http.StatusOK, "ok") }
	e.GET("/plain", ok)
	e.GET("/guarded", guardgin.Require(g, "users:read"), ok)
	e.GET("/misses", func(c *gin.Context) { c.String(http.StatusOK, "%d", g.State().Misses) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("ready public=http://" + l.Addr().String())
	s := &http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second}
	return s.Serve(l)
}
