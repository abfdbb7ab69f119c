package web

import "github.com/gin-gonic/gin"

// WithoutURLCredentials returns h for requests without a credential or token in the
// query. Others are refused, so that the sender notices, although h would not use it.
func WithoutURLCredentials(h Handler) Handler {
	return func(c *gin.Context) error {
		if err := RefuseURLCredentials(c); err != nil {
			return err
		}
		return h(c)
	}
}
