package cli

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/admin"
)

// resource describes a kind of record of the admin API and how its commands
// print it. V is the type in lists and in the responses of actions, S the type in
// the response for one record.
type resource[V, S any] struct {
	noun    string // for messages
	path    string // in the admin API, and the name of the list in responses
	example string // an ID, for examples
	heads   []string
	row     func(V) []string
	pairs   func(S) []pair
}

// filter returns the query of a list request; a nil filter lists everything.
type filter func(c *cobra.Command) (url.Values, error)

func (r resource[V, S]) list(a *app, short string, only filter) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: short, Args: operands(),
		Example: fmt.Sprintf("  grantd %s list\n  grantd %s list --output json", r.noun, r.noun),
		RunE: func(c *cobra.Command, _ []string) error {
			from := call{path: path(r.path)}
			var err error
			if only != nil {
				if from.query, err = only(c); err != nil {
					return err
				}
			}
			server, err := a.connect(c)
			if err != nil {
				return err
			}
			response, err := server.collectPages(c.Context(), from, r.path, everything)
			if err != nil {
				return err
			}
			return show(a, response, func(lists map[string][]V) {
				var rows [][]string
				for _, v := range lists[r.path] {
					rows = append(rows, r.row(v))
				}
				a.grid(r.heads, rows)
			})
		},
	}
}

func (r resource[V, S]) show(a *app, short string) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: short, Args: operands("ID"),
		Example: r.exampleOf("show"),
		RunE: func(c *cobra.Command, args []string) error {
			response, err := a.callAPI(c, call{method: http.MethodGet, path: path(r.path, args[0])})
			if err != nil {
				return err
			}
			return show(a, response, func(s S) { a.pairs(r.pairs(s)) })
		},
	}
}

// exampleOf returns an example of a command about one record.
func (r resource[V, S]) exampleOf(verb string) string {
	return fmt.Sprintf("  grantd %s %s %s", r.noun, verb, r.example)
}

// delete returns the command that deletes a record, which cannot be undone.
func (r resource[V, S]) delete(a *app, short string, does consequence) *cobra.Command {
	return a.final(&cobra.Command{
		Use: "delete ID", Short: short, Args: operands("ID"),
		Example: r.exampleOf("delete"),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := a.callAPI(c, call{method: http.MethodDelete, path: path(r.path, args[0])}); err != nil {
				return err
			}
			return a.printDone("deleted", args[0], "%s %s is deleted", r.noun, text(args[0]))
		},
	}, does)
}

// action returns a command for an action that the API has under the same name.
// done completes the sentence about the record that is printed.
func (r resource[V, S]) action(a *app, verb, short, done string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID", Short: short, Args: operands("ID"),
		Example: r.exampleOf(verb),
		RunE: func(c *cobra.Command, args []string) error {
			response, err := a.callAPI(c, call{method: http.MethodPost, path: path(r.path, args[0], verb)})
			if err != nil {
				return err
			}
			return show(a, response, func(V) { a.println("%s %s %s", r.noun, text(args[0]), done) })
		},
	}
}

// printDone prints the result of a command that has no response to show: a line,
// or {"<verb>":"<id>"} as JSON.
func (a *app) printDone(verb, id, format string, args ...any) error {
	if a.output == outputJSON {
		members := map[string]string{verb: id}
		if a.unconfirmed != "" {
			members["state"], members["state_detail"] = admin.StateUnconfirmed, a.unconfirmed
		}
		return a.printJSON(members)
	}
	a.println(format, args...)
	return nil
}

// state returns a cell that says whether a record is active.
func state(active, heldBack bool, deactivatedAt *time.Time) string {
	switch {
	case active:
		return "active"
	case heldBack && deactivatedAt == nil:
		return "held_back"
	}
	return "deactivated"
}
