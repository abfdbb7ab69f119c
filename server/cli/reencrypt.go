package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/customers"
)

func (a *app) customerReencryptCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reencrypt",
		Short: "Encrypt all telephone numbers with the first key of the key file",
		Long: `Encrypts the telephone numbers that are in clear text, or under another key than
the first one of customers.phone_key_file. Run it after you set that file, and
before you remove a key from it. Customers that have the right key already are
not changed, so it can be interrupted and repeated.

A code that was sent to a customer before their number is encrypted does not
work afterward. They can ask for another one.

If the numbers of some customers cannot be read, because a key is missing, they
are left as they are, and the command fails in the end.`,
		Example: `  grantd customer reencrypt`,
		Args:    operands(),
		RunE: func(c *cobra.Command, _ []string) error {
			server, err := a.connect(c)
			if err != nil {
				return err
			}
			return a.reencrypt(c.Context(), server)
		},
	}
}

// reencrypt calls the API until all customers are done.
func (a *app) reencrypt(ctx context.Context, server *api) error {
	var sum customers.Reencrypted
	for shown, next := time.Now(), (customers.Reencryption{}); ; {
		response, err := server.do(ctx, call{method: http.MethodPost, path: path(pathCustomers, "reencrypt"), body: next, idempotent: true})
		if err != nil {
			return err
		}
		part, err := decode[customers.Reencrypted](response)
		if err != nil {
			return err
		}
		sum.Checked += part.Checked
		sum.Encrypted += part.Encrypted
		sum.Unreadable += part.Unreadable
		sum.UnreadableID = cmp.Or(sum.UnreadableID, part.UnreadableID)
		if part.NextCursor == "" {
			break
		}
		if part.NextCursor == next.Cursor {
			return errors.New("the server makes no progress: it returned the same cursor twice")
		}
		next.Cursor = part.NextCursor
		if time.Since(shown) >= progressEvery {
			shown = time.Now()
			a.say("%s checked so far, %d encrypted", plural(sum.Checked, "customer"), sum.Encrypted)
		}
	}
	return a.printReencrypted(sum)
}

func (a *app) printReencrypted(sum customers.Reencrypted) error {
	if a.output != outputJSON {
		a.println("%s checked, %d encrypted, %d cannot be read", plural(sum.Checked, "customer"), sum.Encrypted, sum.Unreadable)
	} else if err := a.printJSON(sum); err != nil {
		return err
	}
	if sum.Unreadable > 0 {
		return fmt.Errorf("a key is missing for %s: 'grantd customer show %s' says which", plural(sum.Unreadable, "customer"), sum.UnreadableID)
	}
	return nil
}
