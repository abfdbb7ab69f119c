package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9" //nolint:depguard // the floor is what a good user of go-redis writes, without store/redisstore
)

// keep stores tokens in Redis under their digests.
type keep struct {
	redis  *redis.Client
	prefix string
}

// newKeep uses go-redis with its defaults.
func newKeep(address, prefix string) keep {
	return keep{redis.NewClient(&redis.Options{Addr: address}), prefix}
}

// lifetime of a token, the default of grantd
const lifetime = time.Hour

// record is as long as the record of grantd for a token.
var record = make([]byte, 74)

// issued is the response of grantd.
type issued struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope"`
	CreatedAt   int64  `json:"created_at"`
}

// introspect does a digest and a GET.
func (k keep) introspect(a bodies) gin.HandlerFunc {
	return func(c *gin.Context) {
		digest := sha256.Sum256([]byte(c.PostForm("token")))
		err := k.redis.Get(c.Request.Context(), k.prefix+string(digest[:])).Err()
		switch {
		case errors.Is(err, redis.Nil):
			c.Data(http.StatusOK, contentType, a.inactive)
		case err != nil:
			c.Status(http.StatusServiceUnavailable)
		default:
			c.Data(http.StatusOK, contentType, a.active)
		}
	}
}

// make generates 32 random bytes and does a digest and a SET. It returns "" if
// Redis fails.
func (k keep) make(c *gin.Context) string {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand does not fail on supported systems
	}
	token := "gt_sandbox_" + base64.RawURLEncoding.EncodeToString(b[:])
	digest := sha256.Sum256([]byte(token))
	if err := k.redis.Set(c.Request.Context(), k.prefix+string(digest[:]), record, lifetime).Err(); err != nil {
		c.Status(http.StatusServiceUnavailable)
		return ""
	}
	return token
}

// document is the response of grantd with a customer token.
type document struct {
	Data struct {
		Type       string `json:"type"`
		Attributes struct {
			Token     string `json:"token"`
			ExpiresIn int64  `json:"expiresIn"`
		} `json:"attributes"`
	} `json:"data"`
}

// customerToken reads the document, as any server must, and creates a token.
func (k keep) customerToken(c *gin.Context) {
	var asked struct {
		Data struct {
			Type       string `json:"type"`
			Attributes struct {
				Scope string `json:"scope"`
			} `json:"attributes"`
		} `json:"data"`
	}
	if err := c.ShouldBindJSON(&asked); err != nil {
		c.Status(http.StatusBadRequest)
		return
	}
	k.handOut(c, "customerBearerToken")
}

// handOut creates a token and responds with it in a document.
func (k keep) handOut(c *gin.Context, typ string) {
	token := k.make(c)
	if token == "" {
		return
	}
	var d document
	d.Data.Type = typ
	d.Data.Attributes.Token, d.Data.Attributes.ExpiresIn = token, 86400
	c.Header("Content-Type", "application/vnd.api+json") // c.JSON does not overwrite it
	c.JSON(http.StatusCreated, d)
}

// onBehalfToken does the same for a token on behalf of an org.
func (k keep) onBehalfToken(c *gin.Context) {
	var asked struct {
		Data struct {
			Type       string `json:"type"`
			Attributes struct {
				OrgID  string `json:"orgId"`
				Scopes string `json:"scopes"`
			} `json:"attributes"`
		} `json:"data"`
	}
	if err := c.ShouldBindJSON(&asked); err != nil {
		c.Status(http.StatusBadRequest)
		return
	}
	k.handOut(c, "onBehalfToken")
}

// token creates a token.
func (k keep) token(c *gin.Context) {
	token := k.make(c)
	if token == "" {
		return
	}
	c.JSON(http.StatusOK, issued{
		AccessToken: token, TokenType: "Bearer", ExpiresIn: int64(lifetime / time.Second),
		Scope: "users:read users:write", CreatedAt: time.Now().Unix(),
	})
}
