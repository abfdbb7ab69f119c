package cli

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/admin"
)

// Bounds of one completion: somebody waits for it at a prompt.
const (
	completeTime = time.Second
	maxCompleted = 4 * admin.MaxPage
)

// lookup is what a kind needs to list its values.
type lookup struct {
	ctx    context.Context
	server *api
	args   []string // the arguments before
}

// completeValues lets the shell complete the arguments and flags of c.
func (a *app) completeValues(c *cobra.Command) {
	if c.ValidArgsFunction == nil && c.ValidArgs == nil {
		c.ValidArgsFunction = func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			names := operandsOf(c)
			if len(args) >= len(names) {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			k, _ := argumentKind(c, names[len(args)])
			return a.complete(c, k, args, prefix)
		}
	}
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		k, ok := flagKind(c, f.Name)
		if !ok {
			return
		}
		// An error means that the command completes the flag itself.
		_ = c.RegisterFlagCompletionFunc(f.Name, func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			return a.complete(c, k, args, prefix)
		})
	})
}

// complete returns the values of the kind that begin with prefix. It prints nothing:
// if the server cannot be reached, there are none.
func (a *app) complete(c *cobra.Command, k kind, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if k.files {
		return nil, cobra.ShellCompDirectiveDefault
	}
	words := k.words
	if k.list != nil {
		ctx, cancel := context.WithTimeout(c.Context(), completeTime)
		defer cancel()
		server, err := a.choose(c, func() (config.Config, error) {
			cfg, _, err := a.loadConfig()
			return cfg, err
		})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		a.connected = server
		words = k.list(lookup{ctx, server, args})
	}
	// Of "users:read users:w" only the last word is completed.
	done := prefix[:strings.LastIndexByte(prefix, ' ')+1]
	var matching []string
	for _, w := range words {
		// A name with a tab or line break would be read as something else.
		if w = done + w; strings.HasPrefix(w, prefix) && visible(w) == w {
			matching = append(matching, w)
		}
	}
	return matching, cobra.ShellCompDirectiveNoFileComp
}

// ids lists the IDs of all records at the path of the admin API.
func ids(records, member string) func(lookup) []string {
	return func(l lookup) []string { return l.server.names(l.ctx, call{path: path(records)}, records, member) }
}

// idsBelow lists the IDs of what the record of the first argument has.
func idsBelow(records, below, member string) func(lookup) []string {
	return func(l lookup) []string {
		if len(l.args) == 0 {
			return nil
		}
		return l.server.names(l.ctx, call{path: path(records, l.args[0], below)}, below, member)
	}
}

func signingKeyIDs(l lookup) []string {
	return l.server.names(l.ctx, call{path: path(pathSigningKeys)}, "signing_keys", "kid")
}

func scopeNames(l lookup) []string {
	return l.server.names(l.ctx, call{path: path("scopes")}, "scopes", "name")
}

// names returns a member of the first items of a list; fewer, or none, if the server
// fails.
func (c *api) names(ctx context.Context, from call, list, member string) (names []string) {
	take := func(page []json.RawMessage) (int, error) {
		for _, raw := range page {
			var name string
			if item, err := decode[map[string]json.RawMessage](raw); err == nil && json.Unmarshal(item[member], &name) == nil {
				names = append(names, name)
			}
		}
		return min(maxCompleted-len(names), admin.MaxPage), nil
	}
	_ = c.eachPage(ctx, from, list, admin.MaxPage, take)
	return names
}

// wordsOf returns the words of a flag's value, or of its values.
func wordsOf(v pflag.Value) []string {
	if s, ok := v.(pflag.SliceValue); ok {
		return strings.Fields(strings.Join(s.GetSlice(), " "))
	}
	return strings.Fields(v.String())
}
