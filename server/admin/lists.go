package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// Lists serves what no feature owns: the audit and the scope catalog.
type Lists struct {
	Audit     store.Audit
	Catalogue func() *scopes.Catalogue
	Now       func() time.Time
}

// Routes returns the endpoints.
func (l Lists) Routes() []Route {
	return []Route{
		{Method: http.MethodGet, Path: "/audit", Query: listQuery("actor", "action", "target", "request_id", "since", "until"), Handle: l.audit},
		WholeListRoute("/scopes", "scopes", l.scopes, func(v ScopeView) string { return v.Name }),
	}
}

// Bounds of one request for events that a filter selects, so that it ends soon
// however rare they are.
const (
	scanAtOnce = MaxPage
	scanMost   = 10_000
)

// audit lists the events that the filter selects, newest first.
func (l Lists) audit(c *gin.Context) error {
	before, limit, err := readPage(c)
	if err != nil {
		return err
	}
	filter, err := l.filter(c)
	if err != nil {
		return err
	}
	events, last, err := l.find(c.Request.Context(), filter, before, limit)
	if err != nil {
		return err
	}
	web.JSON(c, http.StatusOK, struct {
		Events     []store.AuditEvent `json:"events"`
		NextCursor string             `json:"next_cursor,omitempty"`
	}{events, cursorAfter(last)})
	return nil
}

func (l Lists) filter(c *gin.Context) (f audit.Filter, err error) {
	f = audit.Filter{Actor: c.Query("actor"), Action: c.Query("action"), Target: c.Query("target"), RequestID: c.Query("request_id")}
	if f.Since, err = l.time(c, "since"); err != nil {
		return f, err
	}
	f.Until, err = l.time(c, "until")
	return f, err
}

func (l Lists) time(c *gin.Context, name string) (time.Time, error) {
	text := c.Query(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := audit.ParseTime(text, l.Now())
	if err != nil {
		return t, errTime.At(name)
	}
	return t, nil
}

// find returns up to limit events older than the one with the id before. last is
// the id of the event after which to continue, "" at the end. It reads at most
// scanMost events, so there may be more even if it found none.
func (l Lists) find(ctx context.Context, f audit.Filter, before string, limit int) (found []store.AuditEvent, last string, err error) {
	found = []store.AuditEvent{}
	atOnce := scanAtOnce
	if f.IsZero() {
		atOnce = limit
	}
	scanned := 0
	for last = before; ; {
		events, err := l.Audit.ListAudit(ctx, last, atOnce)
		if err != nil {
			return nil, "", err
		}
		for _, e := range events {
			if f.EndsAt(e) {
				return found, "", nil
			}
			last = e.ID
			if f.Match(e) {
				found = append(found, e)
			}
			if len(found) == limit {
				return found, last, nil
			}
		}
		if len(events) < atOnce {
			return found, "", nil
		}
		if scanned += len(events); scanned >= scanMost {
			return found, last, nil
		}
	}
}

// ScopeView is one scope of the catalog. ttl is in seconds, null for none.
type ScopeView struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	ReadOnly    bool   `json:"read_only"`
	Sensitive   bool   `json:"sensitive"`
	TTL         *int64 `json:"ttl"`
}

func (l Lists) scopes(*gin.Context) ([]ScopeView, error) {
	views := []ScopeView{}
	for _, s := range l.Catalogue().List() {
		v := ScopeView{Name: s.Name, Description: s.Description, ReadOnly: s.ReadOnly, Sensitive: s.Sensitive}
		if s.TTL > 0 {
			seconds := int64(s.TTL.Seconds())
			v.TTL = &seconds
		}
		views = append(views, v)
	}
	return views, nil
}
