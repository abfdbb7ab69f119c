package cli

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/notices"
)

const pathNotices = "notices"

func (a *app) noticesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "notices",
		Short: "Test the webhook of notices, or show what waits for it",
		Long: `With notices.webhook in the configuration, grantd tells a webhook what an operator
should look at: secrets, partner tokens and certificates that end soon or are unused,
locked customers, exceeded quotas, leaks, and a store that came back older.`,
	}
	c.AddCommand(a.noticesShowCommand(), a.noticesTestCommand())
	return a.connectFlags(c)
}

func (a *app) noticesShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show how many notices wait to be sent", Args: operands(),
		Example: `  grantd notices show --output json`,
		RunE: func(c *cobra.Command, _ []string) error {
			response, err := a.callAPI(c, call{method: http.MethodGet, path: path(pathNotices)})
			if err != nil {
				return err
			}
			return show(a, response, func(v notices.State) {
				a.pairs([]pair{
					{"pending", number(int64(v.Pending))},
					{"oldest_at", stamp(v.Oldest)},
					{"credentials_read_at", stamp(v.Since)},
				})
			})
		},
	}
}

func (a *app) noticesTestCommand() *cobra.Command {
	return &cobra.Command{
		Use: "test", Short: "Send a test notice to the webhook at once", Args: operands(),
		Long: `Sends a notice of the kind test to the webhook at once, from the server that the
command talks to, and says whether the webhook has accepted it.`,
		Example: `  grantd notices test`,
		RunE: func(c *cobra.Command, _ []string) error {
			response, err := a.callAPI(c, call{method: http.MethodPost, path: path(pathNotices, "test")})
			if err != nil {
				return err
			}
			v, err := decode[notices.Tested](response)
			if err != nil {
				return err
			}
			err = show(a, response, func(v notices.Tested) {
				if v.Delivered {
					a.println("the webhook has accepted the notice %s", text(v.NoticeID))
				}
			})
			if err == nil && !v.Delivered {
				err = fmt.Errorf("the webhook did not accept the notice: %s", text(v.Problem))
			}
			return err
		},
	}
}
