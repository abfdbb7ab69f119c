package cli

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

// records is a kind of thing that the admin API keeps under an id, and how
// its commands print it. V is one as lists and actions answer it, S one as it
// is shown alone.
type records[V, S any] struct {
	noun  string // what messages call one
	path  string // where they are in the admin API; lists have them under this name
	heads []string
	row   func(V) []string
	pairs func(S) []pair
}

// filter answers what a list is asked for; nil: all.
type filter func(c *cobra.Command) (url.Values, error)

func (r records[V, S]) list(a *app, short string, only filter) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: short, Args: operands(),
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
			answer, err := server.pages(c.Context(), from, r.path, everything)
			if err != nil {
				return err
			}
			return show(a, answer, func(lists map[string][]V) {
				var rows [][]string
				for _, v := range lists[r.path] {
					rows = append(rows, r.row(v))
				}
				a.grid(r.heads, rows)
			})
		},
	}
}

func (r records[V, S]) show(a *app, short string) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: short, Args: operands("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			answer, err := a.ask(c, call{method: http.MethodGet, path: path(r.path, args[0])})
			if err != nil {
				return err
			}
			return show(a, answer, func(s S) { a.pairs(r.pairs(s)) })
		},
	}
}

func (r records[V, S]) delete(a *app, short string) *cobra.Command {
	return &cobra.Command{
		Use: "delete ID", Short: short, Args: operands("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := a.ask(c, call{method: http.MethodDelete, path: path(r.path, args[0])}); err != nil {
				return err
			}
			return a.done("deleted", args[0], "%s %s is deleted", r.noun, text(args[0]))
		},
	}
}

// action is a verb that the API has under the same name; done says what has
// become of the thing.
func (r records[V, S]) action(a *app, verb, short, done string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID", Short: short, Args: operands("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			answer, err := a.ask(c, call{method: http.MethodPost, path: path(r.path, args[0], verb)})
			if err != nil {
				return err
			}
			return show(a, answer, func(V) { a.println("%s %s %s", r.noun, text(args[0]), done) })
		},
	}
}

// done tells of what leaves nothing to show: {"<verb>":"<id>"} or a line.
func (a *app) done(verb, id, format string, args ...any) error {
	if a.output == outputJSON {
		return a.printJSON(map[string]string{verb: id})
	}
	a.println(format, args...)
	return nil
}

// state is a cell for whether a thing is active.
func state(active bool) string {
	if active {
		return "active"
	}
	return "deactivated"
}
