// Command floor is the server that grantd is measured against: only gin, used
// well. Its responses have the headers and lengths of grantd's. For tokens it does
// the least that such a server must do: a digest and one Redis command.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"
)

// bodies are the constant bodies, copied from responses of grantd to the same
// requests.
type bodies struct{ active, inactive, refused, customer []byte }

func main() {
	address := flag.String("redis", "", "address of the Redis")
	prefix := flag.String("prefix", "floor:", "what its keys begin with")
	active := flag.String("active", `{"active":true}`, "the introspection of a good token")
	refused := flag.String("refused", `{"error":"invalid_client"}`, "what wrong credentials are answered")
	customer := flag.String("customer", `{"active":true}`, "the introspection of a customer's token")
	flag.Parse()

	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.Use(headers)
	a := bodies{active: []byte(*active), inactive: []byte(`{"active":false}`), refused: []byte(*refused), customer: []byte(*customer)}
	e.POST("/const", vary, a.constant(http.StatusOK, a.active))
	e.POST("/const/customer", vary, a.constant(http.StatusOK, a.customer))
	e.POST("/const/inactive", vary, a.constant(http.StatusOK, a.inactive))
	e.POST("/const/refused", a.constant(http.StatusUnauthorized, a.refused))
	s := newKeep(*address, *prefix)
	e.POST("/introspect", vary, s.introspect(a))
	e.POST("/token", s.token)
	e.POST("/customer-token", s.customerToken)
	e.POST("/on-behalf-token", s.onBehalfToken)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ready http://%s\n", l.Addr())
	log.Fatal(e.RunListener(l)) // like e.Run, on a listener with a known port
}

// headers sets the headers of every response of grantd.
func headers(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.Header("Pragma", "no-cache")
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("X-Request-Id", "0123456789abcdef0123456789abcdef")
	c.Header("Content-Type", contentType)
}

// vary sets the header that responses of introspection have besides.
func vary(c *gin.Context) { c.Header("Vary", "Accept") }

const contentType = "application/json"

// constant reads the form, as any server must, and responds with the body.
func (bodies) constant(status int, body []byte) gin.HandlerFunc {
	return func(c *gin.Context) {
		_ = c.PostForm("token")
		if status == http.StatusUnauthorized {
			c.Header("WWW-Authenticate", `Basic realm="grantd", charset="UTF-8"`)
		}
		c.Data(status, contentType, body)
	}
}
