package field

import (
	"time"

	"github.com/grantd/grantd/config"
)

// ParseDuration reads a duration in the form that the configuration and the
// command line use, such as 90d or 1h30m.
func ParseDuration(s string) (time.Duration, error) { return config.ParseDuration(s) }
