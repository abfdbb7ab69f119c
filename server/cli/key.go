package cli

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/apikeys"
	"github.com/grantd/grantd/store"
)

// pathKeys is the path of API keys in the admin API, also below an org.
const pathKeys = "keys"

func (a *app) keyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "Manage the API keys of orgs",
		Long: `An API key is a long-lived credential of an org, for a program that cannot request
tokens. The program presents it to resource servers like a token. A key cannot get
tokens, make other keys or use grantd's admin API.

Clients of the org can manage its keys too: POST /users/{owner}/api-tokens.`,
	}
	c.AddCommand(a.keyCreateCommand(), a.keyListCommand(), a.keyShowCommand(), a.keyRevokeCommand(), a.keyRotateCommand())
	return a.connectFlags(c)
}

func (a *app) keyCreateCommand() *cobra.Command {
	var spec apikeys.Spec
	var org, expires string
	var resources []string
	c := &cobra.Command{
		Use:   "create",
		Short: "Create an API key for an org",
		Long: `Creates an API key of the org and shows it once. It expires after the time set by
--expires, which cannot be extended. Before then, replace it with
'grantd key rotate'.`,
		Example: `  grantd key create --org acme --owner reporting --name "nightly report" --scope "cards customers"
  grantd key create --org acme --owner reporting --name export --scope cards --expires 30d --source-ip 203.0.113.0/24 \
      --resource card:12,13`,
		Args: operands(),
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&org, "org", "", "`ID` of the org (required)")
	flags.StringVar(&spec.Owner, "owner", "", "`OWNER` of the key within the org: the id of a person or a program (required)")
	flags.StringVar(&spec.Name, "name", "", "`NAME` that says what the key is for (required)")
	flags.StringVar(&spec.Scope, "scope", "", "`SCOPES` of the key, separated by spaces (required)")
	flags.StringVar(&expires, "expires", "", "`LIFETIME` of the key, 1m to 365d (default: 90d)")
	flags.StringSliceVar(&spec.SourceIPs, "source-ip", nil, "`CIDR` that it may be used from; may be repeated (default: anywhere)")
	flags.StringArrayVar(&resources, "resource", nil, "`TYPE:ID,ID` that it is restricted to, such as card:12,13; the types are account and card; may be repeated")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := required(c, "org", "owner", "name", "scope"); err != nil {
			return err
		}
		if c.Flags().Changed("expires") {
			if _, err := config.ParseDuration(expires); err != nil {
				return misuse(c, "--expires: %s", err)
			}
			spec.Lifetime = &expires
		}
		var err error
		if spec.Resources, err = parseResources(c, resources); err != nil {
			return err
		}
		response, err := a.callAPI(c, call{method: http.MethodPost, path: path(pathOrgs, org, pathKeys), body: spec})
		if err != nil {
			return err
		}
		return show(a, response, func(v apikeys.Created) { a.createdKey(v) })
	}
	return c
}

// parseResources reads values such as card:12,13.
func parseResources(c *cobra.Command, values []string) (list []store.Resource, err error) {
	for _, value := range values {
		typ, ids, ok := strings.Cut(value, ":")
		if !ok || typ == "" || ids == "" {
			return nil, misuse(c, "--resource must be a type, a colon and ids, such as card:12,13")
		}
		list = append(list, store.Resource{Type: typ, IDs: strings.Split(ids, ",")})
	}
	return list, nil
}

// createdKey prints a new key and how it is restricted.
func (a *app) createdKey(v apikeys.Created, more ...pair) {
	a.pairs(append(append([]pair{{"key", text(v.Key)}}, keyPairs(v.View)...), more...))
	a.say(keyShownOnce)
}

const keyShownOnce = "the key is shown only once: store it now"

func keyPairs(v apikeys.View) []pair {
	return []pair{
		{"key_id", text(v.ID)},
		{"org_id", text(v.OrgID)},
		{"owner", text(v.Owner)},
		{"name", text(v.Name)},
		{"scope", text(v.Scope)},
		{"aud", list(v.Audience)},
		{"source_ips", list(v.SourceIPs)},
		{"resources", text(strings.Join(resourceNames(v.Resources), " "))},
		{"created_at", stamp(&v.CreatedAt)},
		{"created_by", text(v.CreatedBy)},
		{"expires_at", stamp(&v.ExpiresAt)},
	}
}

func (a *app) keyShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show an API key and when it was last used", Args: operands("ID"),
		Example: `  grantd key show Ab3dEf7h`,
		RunE: func(c *cobra.Command, args []string) error {
			response, err := a.callAPI(c, call{method: http.MethodGet, path: path(pathKeys, args[0])})
			if err != nil {
				return err
			}
			return show(a, response, func(v apikeys.ListedKey) {
				a.pairs(append(keyPairs(v.View), []pair{
					{"state", text(v.State)},
					{"replaced_by", optionalText(v.ReplacedBy)},
					{"ended_at", stamp(v.EndedAt)},
					{"ended_by", optionalText(v.EndedBy)},
					{"ended_with", optionalText(v.EndedWith)},
					{"last_used_at", stamp(v.LastUsedAt)},
					{"last_used_ip", optionalText(v.LastUsedIP)},
					{"use_count", number(v.UseCount)},
				}...))
			})
		},
	}
}

func (a *app) keyRevokeCommand() *cobra.Command {
	return a.final(&cobra.Command{
		Use:     "revoke ID",
		Short:   "End an API key at once",
		Example: `  grantd key revoke Ab3dEf7h    # 'grantd key list' shows the IDs`,
		Args:    operands("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := a.callAPI(c, call{method: http.MethodDelete, path: path(pathKeys, args[0])}); err != nil {
				return err
			}
			return a.printDone("revoked", args[0], "key %s is revoked", text(args[0]))
		},
	}, says("the API key %s stops working at once"))
}

func (a *app) keyRotateCommand() *cobra.Command {
	var grace string
	c := &cobra.Command{
		Use:   "rotate ID",
		Short: "Replace an API key and let the old one expire",
		Long: `Creates a key with the same owner, name, scopes and restrictions, and with the
lifetime that the old one was created with, and shows it once. The old key keeps working for the time set
by --grace, and never longer than it would have without the rotation.`,
		Example: `  grantd key rotate Ab3dEf7h --grace 1h
  grantd key rotate Ab3dEf7h --grace 0s    # the old key has leaked`,
		Args: operands("ID"),
	}
	c.Flags().StringVar(&grace, "grace", "", "`TIME` for which the old key keeps working, 0s to 30d (default: 24h)")
	c.RunE = func(c *cobra.Command, args []string) error {
		rotate := call{method: http.MethodPost, path: path(pathKeys, args[0], "rotate")}
		response, err := a.rotate(c, rotate, grace)
		if err != nil {
			return err
		}
		return show(a, response, func(v apikeys.Rotated) {
			a.createdKey(v.Created, pair{"previous_key_id", text(v.PreviousID)}, pair{"previous_expires_at", stamp(&v.PreviousExpiresAt)})
			if v.EarlierID != "" {
				a.say("%s had been replaced by %s before: if nobody has that one, 'grantd key revoke %s' ends it", v.PreviousID, v.EarlierID, v.EarlierID)
			}
		})
	}
	return a.final(c, func(q *question) string {
		if endsAtOnce(grace) {
			return "the API key " + text(q.args[0]) + " stops working at once; a --grace leaves time to change to the new one"
		}
		return "" // the old key goes on to work
	})
}
