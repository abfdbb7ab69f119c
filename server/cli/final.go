package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/clients"
)

// countTime limits how long the question for --yes waits for its counts.
const countTime = 2 * time.Second

// consequence says what a command is about to do: sentences without a capital and
// a period. "" means that this command line does nothing that needs --yes.
type consequence func(q *question) string

// question is a command line that was given without --yes.
type question struct {
	ctx    context.Context
	c      *cobra.Command
	args   []string
	server *api           // nil: it cannot be reached
	absent *responseError // what the command is about, but does not exist; nil: nothing is known to be missing
}

// final makes c a command that cannot be undone. On a terminal it wants --yes:
// without it, the command does nothing but say what it would do. Scripts have no
// terminal and need no --yes.
func (a *app) final(c *cobra.Command, does consequence) *cobra.Command {
	var yes bool
	c.Flags().BoolVar(&yes, "yes", false, "do it, although it cannot be undone; needed only at a terminal")
	run := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if yes || !isTerminal(a.in) {
			return run(c, args)
		}
		return a.askFor(c, args, does, run)
	}
	return c
}

func (a *app) askFor(c *cobra.Command, args []string, does consequence, run func(*cobra.Command, []string) error) error {
	ctx, cancel := context.WithTimeout(c.Context(), countTime)
	defer cancel()
	server, err := a.connect(c)
	if err != nil {
		return err
	}
	q := &question{ctx: ctx, c: c, args: args, server: server}
	says := does(q)
	if says == "" {
		return run(c, args)
	}
	if q.checkRecord(); q.absent != nil {
		return q.absent
	}
	return &failure{
		Code: codeUnconfirmed, Flag: "--yes", ExitCode: exitUsage,
		Message: "nothing was done, because this cannot be undone: " + says,
		Hint:    "to do it, run: " + a.withYes(),
	}
}

// withYes returns the command line with --yes, for a shell.
func (a *app) withYes() string {
	words := []string{"grantd"}
	for _, w := range a.args {
		words = append(words, shellQuote(w))
	}
	at := len(words)
	if i := slices.Index(words, "--"); i > 0 {
		at = i
	}
	return strings.Join(slices.Insert(words, at, "--yes"), " ")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

func shellQuote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// isTerminal reports whether a stream is a terminal. /dev/null is not one.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	terminal := false
	_ = raw.Control(func(fd uintptr) {
		_, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
		terminal = err == nil
	})
	return terminal
}

// says returns a consequence that needs no counts. Its verbs are the command's
// arguments, in order.
func says(format string) consequence {
	return func(q *question) string {
		shown := make([]any, strings.Count(format, "%s"))
		for i := range shown {
			shown[i] = text(q.args[i])
		}
		return fmt.Sprintf(format, shown...)
	}
}

// pathsOfRecords has the path in the admin API of what a command of the noun is about.
var pathsOfRecords = map[string]string{"client": pathClients, "org": pathOrgs, "customer": pathCustomers, "partner": pathPartners}

// checkRecord asks the server for the record that the first argument names. If that
// fails, the record counts as there: the command itself then reports the failure.
func (q *question) checkRecord() {
	kind := pathsOfRecords[nounOf(q.c)]
	if kind == "" || len(q.args) == 0 {
		return
	}
	var said *responseError
	_, err := q.server.do(q.ctx, call{method: http.MethodGet, path: path(kind, q.args[0])})
	if errors.As(err, &said) && said.status == http.StatusNotFound {
		q.absent = said
	}
}

// checkSecret is checkRecord for a secret of the client. One that has ended is there
// too: its tokens can still be ended.
func (q *question) checkSecret(client, id string) {
	all := call{path: path(pathSecrets), query: url.Values{"client_id": {client}, "state": {"all"}}}
	response, err := q.server.collectPages(q.ctx, all, pathSecrets, everything)
	if err != nil {
		return
	}
	list, err := decode[listedSecrets](response)
	if err == nil && !slices.ContainsFunc(list.Secrets, func(s clients.ListedSecret) bool { return s.ID == id }) {
		q.absent = &responseError{status: http.StatusNotFound, code: codeNotFound, text: "this client has no secret with this id"}
	}
}

// count returns how many items a list of the server has, such as "3 clients" or "500
// clients or more"; the noun's plural if that is not known quickly.
func (q *question) count(from call, list, noun string) string {
	n, more := 0, false
	err := q.server.eachPage(q.ctx, from, list, admin.MaxPage, func(page []json.RawMessage) (int, error) {
		n, more = len(page), len(page) == admin.MaxPage
		return 0, nil
	})
	switch {
	case err != nil:
		return noun + "s"
	case more:
		return plural(n, noun) + " or more"
	}
	return plural(n, noun)
}
