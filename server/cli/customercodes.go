package cli

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/customers"
)

func (a *app) customerResetCommand() *cobra.Command {
	var sent bool
	c := &cobra.Command{
		Use: "reset-codes ID", Short: "Unlock a customer and reset the count of wrong codes", Args: operands("ID"),
		Long: `Forgets the wrong codes of the customer ID, which also unlocks the customer.

With --sent it also forgets the codes that were sent for the customer and to each
number on file, so that another one can be sent at once. The limits of the client
and of the org remain (limits.codes_per_client, limits.codes_per_org).`,
		Example: `  grantd customer reset-codes c-1001 --sent`,
	}
	c.Flags().BoolVar(&sent, "sent", false, "also reset the count of codes that were sent")
	c.RunE = func(c *cobra.Command, args []string) error {
		reset, done := call{method: http.MethodPost, path: path(pathCustomers, args[0], "reset-codes")}, "is unlocked and its count of wrong codes is reset"
		if sent {
			reset.body, done = map[string]bool{"sent": true}, "is unlocked and its counts of wrong codes and of sent codes are reset"
		}
		response, err := a.callAPI(c, reset)
		if err != nil {
			return err
		}
		return show(a, response, func(customers.Shown) { a.println("customer %s %s", text(args[0]), done) })
	}
	return c
}

func (a *app) customerMuteCommand() *cobra.Command {
	var d string
	c := &cobra.Command{
		Use: "mute ID", Short: "Send no codes to a customer for some time", Args: operands("ID"),
		Long: `Sends no codes to the customer ID for the time set by --for, whatever a client asks
for: somebody harasses the customer, or earns on the messages. The client is told the same
as for a limit. A code that was sent before does not work anymore. Tokens stay valid.`,
		Example: `  grantd customer mute 10001 --for 7d
  grantd customer unmute 10001`,
	}
	c.Flags().StringVar(&d, "for", "", "`TIME`, 1m to 365d (default: 24h)")
	c.RunE = func(c *cobra.Command, args []string) error {
		mute := call{method: http.MethodPost, path: path(pathCustomers, args[0], "mute")}
		if c.Flags().Changed("for") {
			if _, err := config.ParseDuration(d); err != nil {
				return misuse(c, "--for: %s", err)
			}
			mute.body = map[string]string{"for": d}
		}
		response, err := a.callAPI(c, mute)
		if err != nil {
			return err
		}
		return show(a, response, func(v customers.Shown) {
			a.println("customer %s gets no codes until %s", text(args[0]), stamp(v.MutedUntil))
		})
	}
	return c
}
