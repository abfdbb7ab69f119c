package cli

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/signing"
)

const pathSigningKeys = "signing-keys"

func (a *app) signingKeyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "signing-key",
		Short: "Manage the keys that sign introspection",
		Long: `Resource servers may ask for signed introspection (RFC 9701). They verify it with the
keys at /oauth/jwks. grantd makes the first key when somebody needs it, and replaces the
one that signs every 90 days: the next key is published a day before it signs, and the
old one stays published for 30 days.`,
	}
	c.AddCommand(a.signingKeyListCommand(), a.signingKeyRotateCommand(), a.signingKeyRemoveCommand())
	return a.connectFlags(c)
}

type signingKeyList struct {
	Keys []signing.View `json:"signing_keys"`
}

func (a *app) signingKeyListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the keys that are published, and which one signs", Args: operands(),
		Example: `  grantd signing-key list`,
		RunE: func(c *cobra.Command, _ []string) error {
			response, err := a.callAPI(c, call{method: http.MethodGet, path: path(pathSigningKeys)})
			if err != nil {
				return err
			}
			return show(a, response, a.signingKeyGrid)
		},
	}
}

func (a *app) signingKeyGrid(l signingKeyList) {
	var rows [][]string
	for _, v := range l.Keys {
		rows = append(rows, []string{text(v.ID), text(v.State), stamp(&v.CreatedAt), stamp(v.SignsSince), stamp(v.RetiredAt), stamp(v.PublishedUntil)})
	}
	a.grid([]string{"KID", "STATE", "CREATED_AT", "SIGNS_SINCE", "RETIRED_AT", "PUBLISHED_UNTIL"}, rows)
}

func (a *app) signingKeyRotateCommand() *cobra.Command {
	var now bool
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Publish a new key, which then replaces the one that signs",
		Long: `Publishes a new key. It signs a day later, when every resource server that reads the
keys at least daily has it. With --now it signs as soon as all replicas publish it: a
resource server that does not read the keys again when it meets an unknown one refuses
its signatures until it does.`,
		Example: `  grantd signing-key rotate
  grantd signing-key rotate --now`,
		Args: operands(),
		RunE: func(c *cobra.Command, _ []string) error {
			response, err := a.callAPI(c, call{method: http.MethodPost, path: path(pathSigningKeys, "rotate"), body: map[string]bool{"now": now}})
			if err != nil {
				return err
			}
			return show(a, response, a.signingKeyGrid)
		},
	}
	c.Flags().BoolVar(&now, "now", false, "let the new key sign at once")
	return c
}

func (a *app) signingKeyRemoveCommand() *cobra.Command {
	return a.final(&cobra.Command{
		Use:   "remove KID",
		Short: "Stop publishing a key at once, because somebody else may know it",
		Long: `Removes a key from those that are published. If it is the one that signs, the next one
or a new one signs first. Resource servers go on to accept what the removed key signed
until they read the keys again.`,
		Example: `  grantd signing-key remove OYK784VKOmStqWR3j59tK_z9aJyBOQi4XyXPxAOutW0    # 'grantd signing-key list' shows the IDs`,
		Args:    operands("KID"),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := a.callAPI(c, call{method: http.MethodDelete, path: path(pathSigningKeys, args[0])}); err != nil {
				return err
			}
			return a.printDone("removed", args[0], "signing key %s is removed, and what it signed can no longer be verified", text(args[0]))
		},
	}, says("the signing key %s is removed, and what it signed can no longer be verified"))
}
