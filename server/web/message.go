package web

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// messageTime is how long a message may take to arrive.
const messageTime = 2 * time.Second

// ReadMessage reads the body, of at most MaxBody bytes, and calls decode with it, which
// must not keep it. The whole body must arrive within messageTime.
// Errors: apierr.TooLarge, InvalidRequest, Unavailable; of decode.
func ReadMessage(c *gin.Context, decode func(body []byte) error) error {
	_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Now().Add(messageTime))
	return decodeBody(c, MaxBody, decode)
}
