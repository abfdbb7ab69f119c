package cli

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
)

// secretFilters are the flags that select secrets of the list of all clients.
type secretFilters struct{ expiring, unused, old, state string }

func (a *app) secretsCommand() *cobra.Command {
	var f secretFilters
	c := &cobra.Command{
		Use:   "secrets [ID]",
		Short: "List the secrets of one client or of all, and when each was last used",
		Long: `Lists the secrets that work of the client, or without ID those of all active
clients, and those that are held back, with when and from where each was last used.
Filters select secrets that match all of them.

With a filter, the exit code is 3 if any secret is listed, and 0 if none is.`,
		Example: `  grantd client secrets billing
  grantd client secrets --expiring 30d              # rotate these in time
  grantd client secrets --unused 90d --old 180d     # perhaps nobody needs these
  grantd client secrets billing --state ended       # with the last use of each`,
		Args: optional("ID"),
	}
	f.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		query, err := f.query(c)
		if err != nil {
			return err
		}
		if len(args) > 0 && len(query) == 0 {
			response, err := a.callAPI(c, call{method: http.MethodGet, path: path(pathClients, args[0], pathSecrets)})
			if err != nil {
				return err
			}
			return show(a, response, a.secretGrid)
		}
		return a.listSecrets(c, args, query)
	}
	return c
}

func (f *secretFilters) add(c *cobra.Command) {
	c.Flags().StringVar(&f.expiring, "expiring", "", "only secrets that end by themselves within this `TIME`, such as 30d")
	c.Flags().StringVar(&f.unused, "unused", "", "only secrets that are older than this `TIME` and were not used for as long, such as 90d")
	c.Flags().StringVar(&f.old, "old", "", "only secrets that are older than this `TIME`, such as 365d")
	c.Flags().StringVar(&f.state, "state", "", "only secrets in this `STATE`: active, held_back, deactivated (its client is), expired, ended, or all (default: active and held_back)")
}

// query returns the query of the flags that were given.
func (f *secretFilters) query(c *cobra.Command) (url.Values, error) {
	query := url.Values{}
	for _, flag := range []struct{ name, param, value string }{
		{"expiring", "expires_within", f.expiring}, {"unused", "unused_for", f.unused}, {"old", "older_than", f.old}, {"state", "state", f.state},
	} {
		if !c.Flags().Changed(flag.name) {
			continue
		}
		if err := required(c, flag.name); err != nil {
			return nil, err
		}
		if flag.name != "state" {
			if d, err := config.ParseDuration(flag.value); err != nil || d <= 0 {
				return nil, misuse(c, "--%s must be a duration such as 24h or 30d", flag.name)
			}
		}
		query.Set(flag.param, flag.value)
	}
	return query, nil
}

// listSecrets prints the secrets that the query selects, of one client or of all. It
// returns errFound if there are any and the query has a filter.
func (a *app) listSecrets(c *cobra.Command, args []string, query url.Values) error {
	filtered := len(query) > 0
	if len(args) > 0 {
		query.Set("client_id", args[0])
	}
	server, err := a.connect(c)
	if err != nil {
		return err
	}
	response, err := server.collectPages(c.Context(), call{path: path(pathSecrets), query: query}, pathSecrets, everything)
	if err != nil {
		return err
	}
	list, err := decode[listedSecrets](response)
	if err == nil {
		err = show(a, response, a.listedGrid)
	}
	if err == nil && filtered && len(list.Secrets) > 0 {
		return errFound
	}
	return err
}

type secretList struct {
	Secrets []clients.SecretView `json:"secrets"`
}

type listedSecrets struct {
	Secrets []clients.ListedSecret `json:"secrets"`
}

var secretHeads = []string{"SECRET_ID", "CREATED_AT", "EXPIRES_AT", "LAST_USED_AT", "LAST_USED_IP", "USE_COUNT", "WEAK"}

func secretRow(v *clients.SecretView) []string {
	return []string{text(v.ID), stamp(&v.CreatedAt), stamp(v.ExpiresAt), stamp(v.LastUsedAt), optionalText(v.LastUsedIP), number(v.UseCount), yesNo(v.Weak)}
}

func (a *app) secretGrid(l secretList) {
	var rows [][]string
	for i := range l.Secrets {
		rows = append(rows, secretRow(&l.Secrets[i]))
	}
	a.grid(secretHeads, rows)
}

func (a *app) listedGrid(l listedSecrets) {
	var rows [][]string
	for i := range l.Secrets {
		v := &l.Secrets[i]
		row := append([]string{text(v.ClientID)}, secretRow(&v.SecretView)...)
		rows = append(rows, append(row, text(v.State), stamp(v.EndedAt), optionalText(v.EndedBy)))
	}
	heads := append([]string{"CLIENT_ID"}, secretHeads...)
	a.grid(append(heads, "STATE", "ENDED_AT", "ENDED_BY"), rows)
}
