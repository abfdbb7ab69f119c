package admin

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// Lists serves what no feature owns: the audit stream and the scope catalog.
type Lists struct {
	Audit     store.Audit
	Catalogue func() *scopes.Catalogue
}

// Routes returns the endpoints.
func (l Lists) Routes() []Route {
	return []Route{
		{Method: http.MethodGet, Path: "/audit", Handle: l.audit},
		{Method: http.MethodGet, Path: "/scopes", Handle: l.scopes},
	}
}

// audit lists the events, newest first.
func (l Lists) audit(c *gin.Context) error {
	before, limit, err := readPage(c)
	if err != nil {
		return err
	}
	events, err := l.Audit.ListAudit(c.Request.Context(), before, limit)
	if err != nil {
		return err
	}
	last := ""
	if len(events) > 0 {
		last = events[len(events)-1].ID
	} else {
		events = []store.AuditEvent{}
	}
	web.JSON(c, http.StatusOK, struct {
		Events     []store.AuditEvent `json:"events"`
		NextCursor string             `json:"next_cursor,omitempty"`
	}{events, nextCursor(last, len(events), limit)})
	return nil
}

// ScopeView is one scope of the catalog. ttl is in seconds, null for none.
type ScopeView struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	ReadOnly    bool   `json:"read_only"`
	Sensitive   bool   `json:"sensitive"`
	TTL         *int64 `json:"ttl"`
}

func (l Lists) scopes(c *gin.Context) error {
	views := []ScopeView{}
	for _, s := range l.Catalogue().List() {
		v := ScopeView{Name: s.Name, Description: s.Description, ReadOnly: s.ReadOnly, Sensitive: s.Sensitive}
		if s.TTL > 0 {
			seconds := int64(s.TTL.Seconds())
			v.TTL = &seconds
		}
		views = append(views, v)
	}
	web.JSON(c, http.StatusOK, struct {
		Scopes []ScopeView `json:"scopes"`
	}{views})
	return nil
}
