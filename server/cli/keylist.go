package cli

import (
	"net/url"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/apikeys"
)

// keyFilters are the flags that select keys.
type keyFilters struct{ org, owner, expiring, unused, state string }

func (a *app) keyListCommand() *cobra.Command {
	var f keyFilters
	c := &cobra.Command{
		Use:   "list",
		Short: "List API keys and when each was last used",
		Long: `Lists the API keys that work, with when and from where each was last used. Flags
select keys that match all of them.

With --expiring, --unused or --state, the exit code is 3 if any key is listed, and
0 if none is.`,
		Example: `  grantd key list --org acme
  grantd key list --expiring 30d               # rotate these in time
  grantd key list --unused 90d                 # perhaps nobody needs these
  grantd key list --org acme --owner reporting --state all`,
		Args: operands(),
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.org, "org", "", "only keys of the org with this `ID`")
	flags.StringVar(&f.owner, "owner", "", "only keys of this `OWNER`")
	flags.StringVar(&f.expiring, "expiring", "", "only keys that end by themselves within this `TIME`, such as 30d, and were not replaced")
	flags.StringVar(&f.unused, "unused", "", "only keys that are older than this `TIME` and were not used for as long, such as 90d")
	flags.StringVar(&f.state, "state", "", "only keys in this `STATE`: active (default), deactivated (the org is), expired, ended, or all")
	c.RunE = func(c *cobra.Command, _ []string) error {
		query, filtered, err := f.query(c)
		if err != nil {
			return err
		}
		return a.listKeys(c, query, filtered)
	}
	return c
}

// query returns the query of the flags that were given. filtered reports whether one of
// them asks for keys that somebody should look at.
func (f *keyFilters) query(c *cobra.Command) (query url.Values, filtered bool, err error) {
	query = url.Values{}
	for _, flag := range []struct {
		name, param, value string
		duration           bool
	}{
		{"org", "org_id", f.org, false}, {"owner", "owner", f.owner, false}, {"state", "state", f.state, false},
		{"expiring", "expires_within", f.expiring, true}, {"unused", "unused_for", f.unused, true},
	} {
		if !c.Flags().Changed(flag.name) {
			continue
		}
		if err := required(c, flag.name); err != nil {
			return nil, false, err
		}
		if flag.duration {
			if d, err := config.ParseDuration(flag.value); err != nil || d <= 0 {
				return nil, false, misuse(c, "--%s must be a duration such as 24h or 30d", flag.name)
			}
		}
		filtered = filtered || flag.duration || flag.name == "state"
		query.Set(flag.param, flag.value)
	}
	return query, filtered, nil
}

type keyList struct {
	Keys []apikeys.ListedKey `json:"keys"`
}

// listKeys prints the keys that the query selects. It returns errFound if there are any
// and the query is filtered.
func (a *app) listKeys(c *cobra.Command, query url.Values, filtered bool) error {
	server, err := a.connect(c)
	if err != nil {
		return err
	}
	response, err := server.collectPages(c.Context(), call{path: path(pathKeys), query: query}, pathKeys, everything)
	if err != nil {
		return err
	}
	found, err := decode[keyList](response)
	if err == nil {
		err = show(a, response, a.keyGrid)
	}
	if err == nil && filtered && len(found.Keys) > 0 {
		return errFound
	}
	return err
}

func (a *app) keyGrid(l keyList) {
	var rows [][]string
	for i := range l.Keys {
		v := &l.Keys[i]
		rows = append(rows, []string{
			text(v.ID), text(v.OrgID), text(v.Owner), keyState(*v), stamp(&v.CreatedAt), stamp(&v.ExpiresAt),
			stamp(v.LastUsedAt), optionalText(v.LastUsedIP), number(v.UseCount), text(v.CreatedBy), text(v.Scope), text(v.Name),
		})
	}
	a.grid([]string{"KEY_ID", "ORG_ID", "OWNER", "STATE", "CREATED_AT", "EXPIRES_AT", "LAST_USED_AT", "LAST_USED_IP", "USE_COUNT", "CREATED_BY", "SCOPE", "NAME"}, rows)
}
