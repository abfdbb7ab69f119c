package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/reqlog"
)

func (a *app) requestCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "request",
		Short: "Explain what happened to a request",
		Long: `Every response has the header X-Request-Id, and every line of the log about the
request has the same request_id.`,
	}
	c.AddCommand(a.requestExplainCommand())
	return c
}

func (a *app) requestExplainCommand() *cobra.Command {
	var log string
	c := &cobra.Command{
		Use:   "explain REQUEST_ID --log FILE",
		Short: "Say why a request was refused, from the log",
		Long: `Finds the lines of a request in the log of a server, and says what happened, which
client it was, why it was refused, and what to do next. REQUEST_ID is the
X-Request-Id of the response. No server needs to run.

FILE is a log in JSON lines, as grantd writes it, or what journalctl prints with -o
cat or with -o json --all, or Docker's log. It may be compressed with gzip. With -,
it is read from standard input.`,
		Example: `  grantd request explain 6f1c2ab09d3e44f7 --log /var/log/grantd.log
  journalctl -u grantd -o cat --since -1h | grantd request explain 6f1c2ab09d3e44f7 --log -`,
		Args: operands("REQUEST_ID"),
	}
	c.Flags().StringVar(&log, "log", "", "`FILE` with the log, or - for standard input")
	c.RunE = func(c *cobra.Command, args []string) error {
		if !isRequestID(args[0]) {
			return misuse(c, "REQUEST_ID must be 8 to 36 hexadecimal digits and hyphens, as in the header X-Request-Id of a response")
		}
		if log == "" {
			return misuse(c, "--log is missing: the file with the server's log, or - for standard input")
		}
		found, err := a.findRequest(log, args[0])
		if err != nil {
			return err
		}
		if len(found.Lines) == 0 {
			return noLines(args[0], found)
		}
		return a.showRequest(args[0], found)
	}
	return c
}

// isRequestID reports whether an id can be in the log.
func isRequestID(id string) bool {
	return len(id) >= 8 && len(id) <= 36 && strings.Trim(id, "0123456789abcdefABCDEF-") == ""
}

func (a *app) findRequest(log, id string) (reqlog.Found, error) {
	var stream io.Reader = a.in
	if log != "-" {
		file, err := os.Open(log)
		if err != nil {
			return reqlog.Found{}, fmt.Errorf("cannot open the log: %w", err)
		}
		defer file.Close()
		stream = file
	}
	found, err := reqlog.Find(stream, id)
	if err != nil {
		return found, fmt.Errorf("cannot read the log: %w", err)
	}
	return found, nil
}

// noLines says that the log has no line of the request, and what to try.
func noLines(id string, f reqlog.Found) error {
	switch {
	case f.Read == 0:
		return errors.New("the log is empty: does log.level leave requests out (info shows them), or is it another file?")
	case f.Plain > 0:
		return fmt.Errorf("%d lines hold %s and are not JSON: set log.format: json, or read them with grep", f.Plain, id)
	}
	return fmt.Errorf("no line of %d has the request_id %s: try the log of another process, or an older file. A flood of responses 429 is not logged "+
		"one by one (look for 'requests refused and not logged one by one'), and log.level must be info", f.Read, id)
}

// requestReport is what the command prints as JSON.
type requestReport struct {
	RequestID string               `json:"request_id"`
	Requests  []reqlog.Explanation `json:"requests"`
	Lines     []reqlog.Line        `json:"lines"`
	More      int                  `json:"more_lines"`    // not in Lines, because there are too many
	Skipped   int                  `json:"skipped_lines"` // of the log, because they are too long
}

func (a *app) showRequest(id string, f reqlog.Found) error {
	if a.output == outputJSON {
		report := requestReport{RequestID: id, Requests: []reqlog.Explanation{}, Lines: f.Lines, More: f.More, Skipped: f.Skipped}
		for _, l := range f.Requests() {
			report.Requests = append(report.Requests, reqlog.Explain(l))
		}
		return a.printJSON(report)
	}
	for i, l := range f.Lines {
		if i > 0 {
			a.println("")
		}
		if l.Text("msg") == "request" {
			a.printRequest(reqlog.Explain(l))
		} else {
			a.printOtherLine(l)
		}
	}
	if f.More > 0 {
		a.println("\n%d more lines have this request_id: a caller can choose it.", f.More)
	}
	if f.Skipped > 0 {
		a.println("\n%d lines of the log are too long and were not read.", f.Skipped)
	}
	return nil
}

func (a *app) printRequest(x reqlog.Explanation) {
	client := x.ClientID
	switch {
	case x.ClientKnown != nil && !*x.ClientKnown:
		client = strings.TrimSpace(client + " (claimed; there is no such client)")
	case x.ClientKnown != nil:
		client += " (claimed; it was not authenticated)"
	case x.Claimed && client != "":
		client += " (claimed; it was refused before it was looked up)"
	}
	rows := []pair{
		{"request", strings.TrimSpace(x.Time + "  " + x.Method + " " + x.Route)},
		{"result", strings.TrimSpace(x.Result + ": " + x.Status.String() + " " + x.Error)},
	}
	for _, p := range []pair{
		{"client", client}, {"secret_id", x.SecretID}, {"address", x.Address}, {"jti", x.TokenID}, {"scope", x.Scope},
		{"partner_id", x.PartnerID}, {"partner_token_id", x.PartnerTID}, {"org_id", x.OrgID}, {"customer_id", x.CustomerID}, {"limit", x.Limit}, {"cause", x.Cause}, {"ended_at", x.EndedAt}, {"void_of", x.VoidOf}, {"note", x.Note}, {"what happened", x.Meaning}, {"what to do", x.Next},
	} {
		if p.value != "" {
			rows = append(rows, p)
		}
	}
	if x.SecretRight {
		rows = append(rows, pair{"secret_right", "yes: it is, or was, a secret of this client"})
	}
	for i := range rows {
		rows[i].value = text(rows[i].value)
	}
	a.pairs(rows)
}

// printOtherLine prints a line that is not an access event: an event of the audit, or
// a warning.
func (a *app) printOtherLine(l reqlog.Line) {
	rows := []pair{{"line", text(strings.TrimSpace(l.Text("time") + "  " + l.Text("msg")))}}
	for _, name := range []string{"action", "target", "outcome", "actor", "address", "error"} {
		if value := l.Text(name); value != "" {
			rows = append(rows, pair{name, text(value)})
		}
	}
	a.pairs(rows)
}
