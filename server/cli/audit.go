package cli

import (
	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/store"
)

func (a *app) auditCommand() *cobra.Command {
	limit, follow := admin.DefaultPage, false
	c := &cobra.Command{
		Use:   "audit",
		Short: "Show who did what, newest first",
		Long: `Shows changes by operators, revocations, and summaries of issued tokens and
rejected secrets (COUNT is how many). JSON output also shows each record before
and after a change.`,
		Args: operands(),
	}
	c.Flags().IntVar(&limit, "limit", limit, "show at most `N` events")
	c.Flags().BoolVar(&follow, "follow", false, "keep running and show new events as they occur, newest last")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if limit < 1 {
			return misuse(c, "--limit must be 1 or more")
		}
		server, err := a.connect(c)
		if err != nil {
			return err
		}
		if follow {
			return a.follow(c.Context(), server, limit)
		}
		response, err := server.collectPages(c.Context(), call{path: path("audit")}, "events", limit)
		if err != nil {
			return err
		}
		return show(a, response, a.auditGrid)
	}
	return a.connectFlags(c)
}

type auditList struct {
	Events []store.AuditEvent `json:"events"`
}

func (a *app) auditGrid(l auditList) {
	var rows [][]string
	for _, e := range l.Events {
		rows = append(rows, auditRow(e))
	}
	a.grid([]string{"TIME", "ACTION", "TARGET", "OUTCOME", "ACTOR", "ADDRESS", "COUNT"}, rows)
}

func auditRow(e store.AuditEvent) []string {
	count := absent
	if e.Count != 0 {
		count = number(e.Count)
	}
	return []string{stamp(&e.Time), text(e.Action), text(e.Target), text(e.Outcome), text(e.Actor), text(e.Address), count}
}
