package web

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// messageTime is how long a message may take to arrive.
const messageTime = 2 * time.Second

// ReadMessage reads the body, of at most MaxBody bytes, and calls decode with it, in
// which it must not be kept. The whole body must arrive at once, or nearly so. It returns
// the error of decode.
// Errors: apierr.TooLarge, InvalidRequest, Unavailable.
func ReadMessage(c *gin.Context, decode func(body []byte) error) error {
	_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Now().Add(messageTime))
	return decodeBody(c, MaxBody, decode)
}
