package cli

import (
	"encoding/json"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

func (a *app) auditCommand() *cobra.Command {
	limit, follow := admin.DefaultPage, false
	var f auditFlags
	c := &cobra.Command{
		Use:   "audit",
		Short: "Show who did what, newest first",
		Long: `Shows changes by operators, and what clients, customers and partners did. Issued
tokens, rejected secrets and revocations by clients are gathered for up to five
minutes: COUNT is how many, and ADDRESS is the last address and about how many
others there were. DETAIL is the cause of a refusal, or the limit that was exceeded.
JSON output also shows when the first was ("since"), and each record before and
after a change.

Filters select events that match all of them. A time is RFC 3339, or how long
ago it was. What is gathered is of several requests, so --request-id does not find
it: 'grantd request explain' finds such a request in the log.`,
		Example: `  grantd audit --target client:billing --since 7d
  grantd audit --actor uid:0 --since 2026-01-31T08:00:00Z --until 2026-01-31T09:00:00Z
  grantd audit --follow --action client.authentication_refused`,
		Args: operands(),
	}
	c.Flags().IntVar(&limit, "limit", limit, "show at most `N` events")
	c.Flags().BoolVar(&follow, "follow", false, "keep running and show new events as they occur, newest last")
	f.add(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if limit < 1 {
			return misuse(c, "--limit must be 1 or more")
		}
		filter, err := f.filter(c, time.Now())
		if err != nil {
			return err
		}
		if follow && !filter.Until.IsZero() {
			return misuse(c, "--follow and --until exclude each other: give only one")
		}
		server, err := a.connect(c)
		if err != nil {
			return err
		}
		if follow {
			return a.follow(c.Context(), server, limit, filter)
		}
		response, err := server.collectPages(c.Context(), auditCall(filter), "events", limit)
		if err != nil {
			return err
		}
		return show(a, response, a.auditGrid)
	}
	return a.connectFlags(c)
}

// auditFlags are the filters of the command.
type auditFlags struct{ actor, action, target, requestID, since, until string }

func (f *auditFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.actor, "actor", "", "only events by this `ACTOR`, such as uid:0 or client:billing")
	c.Flags().StringVar(&f.action, "action", "", "only events of this `ACTION`, such as client.update")
	c.Flags().StringVar(&f.target, "target", "", "only events about this `TARGET`, such as client:billing or token:JTI")
	c.Flags().StringVar(&f.requestID, "request-id", "", "only events of the request with this `ID`, the X-Request-Id of its response; no gathered ones")
	c.Flags().StringVar(&f.since, "since", "", "only events since this `TIME`, such as 24h (ago) or 2026-01-31T08:00:00Z")
	c.Flags().StringVar(&f.until, "until", "", "only events before this `TIME`")
}

func (f *auditFlags) filter(c *cobra.Command, now time.Time) (audit.Filter, error) {
	filter := audit.Filter{Actor: f.actor, Action: f.action, Target: f.target, RequestID: f.requestID}
	for _, t := range []struct {
		flag, text string
		into       *time.Time
	}{{"since", f.since, &filter.Since}, {"until", f.until, &filter.Until}} {
		if !c.Flags().Changed(t.flag) {
			continue
		}
		var err error
		if *t.into, err = audit.ParseTime(t.text, now); err != nil {
			return filter, misuse(c, "--%s %s", t.flag, err)
		}
	}
	for _, name := range []string{"actor", "action", "target", "request-id"} {
		if flag := c.Flags().Lookup(name); flag.Changed && flag.Value.String() == "" {
			return filter, misuse(c, "--%s is empty", name)
		}
	}
	return filter, nil
}

// auditCall returns the request for the events that the filter selects.
func auditCall(f audit.Filter) call {
	query := url.Values{}
	for name, value := range map[string]string{"actor": f.Actor, "action": f.Action, "target": f.Target, "request_id": f.RequestID, "since": instant(f.Since), "until": instant(f.Until)} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return call{path: path("audit"), query: query}
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

type auditList struct {
	Events []store.AuditEvent `json:"events"`
}

func (a *app) auditGrid(l auditList) {
	var rows [][]string
	for _, e := range l.Events {
		rows = append(rows, auditRow(e))
	}
	a.grid([]string{"TIME", "ACTION", "TARGET", "OUTCOME", "ACTOR", "ADDRESS", "COUNT", "DETAIL"}, rows)
}

func auditRow(e store.AuditEvent) []string {
	count, address := absent, text(e.Address)
	if e.Count != 0 {
		count = number(e.Count)
	}
	if e.Addresses > 1 {
		address += " +" + number(e.Addresses-1)
	}
	return []string{stamp(&e.Time), text(e.Action), text(e.Target), text(e.Outcome), text(e.Actor), address, count, auditDetail(e)}
}

// auditDetail returns a cell that says why a request was refused, or over which limit
// it was.
func auditDetail(e store.AuditEvent) string {
	var after struct{ Cause, Limit any }
	if json.Unmarshal(e.After, &after) != nil {
		return absent
	}
	for _, member := range []any{after.Cause, after.Limit} {
		if s, ok := member.(string); ok {
			return text(s)
		}
	}
	return absent
}
