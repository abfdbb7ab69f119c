package cli

import (
	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
)

// rotate makes the call that rotates a credential, with the value of --grace if that is
// given.
func (a *app) rotate(c *cobra.Command, rotate call, grace string) ([]byte, error) {
	if c.Flags().Changed("grace") {
		if _, err := config.ParseDuration(grace); err != nil {
			return nil, misuse(c, "--grace: %s", err)
		}
		rotate.body = map[string]string{"grace": grace}
	}
	return a.callAPI(c, rotate)
}

// endsAtOnce reports whether a grace leaves the older credential no time.
func endsAtOnce(grace string) bool {
	d, err := config.ParseDuration(grace)
	return err == nil && d == 0
}
