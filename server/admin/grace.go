package admin

import (
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/web"
)

// ReadGrace reads the body of a rotation, which may be absent: how long the older
// credential works. It returns otherwise if the body does not say, and wrong if grace
// is not a duration.
func ReadGrace(c *gin.Context, otherwise time.Duration, wrong error) (time.Duration, error) {
	var body struct {
		Grace *string `json:"grace"`
	}
	if err := web.ReadJSON(c, &body, true); err != nil || body.Grace == nil {
		return otherwise, err
	}
	grace, err := field.ParseDuration(*body.Grace)
	if err != nil {
		return 0, wrong
	}
	return grace, nil
}
