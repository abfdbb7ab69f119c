// Command floor is what grantd is measured against: gin and nothing else,
// written as a good user of gin would write it. Its answers have the headers
// and the lengths of grantd's, and behind two of them is the least that such
// a server has to do: a digest, and one command to Redis.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"
)

// answers are the constant bodies: what grantd answered to the same requests.
type answers struct{ active, inactive, refused, customer []byte }

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
	a := answers{active: []byte(*active), inactive: []byte(`{"active":false}`), refused: []byte(*refused), customer: []byte(*customer)}
	e.POST("/const", a.constant(http.StatusOK, a.active))
	e.POST("/const/customer", a.constant(http.StatusOK, a.customer))
	e.POST("/const/inactive", a.constant(http.StatusOK, a.inactive))
	e.POST("/const/refused", a.constant(http.StatusUnauthorized, a.refused))
	s := newKeep(*address, *prefix)
	e.POST("/introspect", s.introspect(a))
	e.POST("/token", s.token)
	e.POST("/customer-token", s.customerToken)
	e.POST("/on-behalf-token", s.onBehalfToken)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ready http://%s\n", l.Addr())
	log.Fatal(e.RunListener(l)) // as e.Run, on a listener whose port is known
}

// headers are those of every answer of grantd.
func headers(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.Header("Pragma", "no-cache")
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("X-Request-Id", "0123456789abcdef0123456789abcdef")
	c.Header("Content-Type", contentType)
}

const contentType = "application/json"

// constant reads the form, as anything at this path must, and answers.
func (answers) constant(status int, body []byte) gin.HandlerFunc {
	return func(c *gin.Context) {
		_ = c.PostForm("token")
		if status == http.StatusUnauthorized {
			c.Header("WWW-Authenticate", `Basic realm="grantd", charset="UTF-8"`)
		}
		c.Data(status, contentType, body)
	}
}
