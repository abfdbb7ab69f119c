package backup

import (
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

// PathBackup is the path of the endpoint that makes a backup.
const PathBackup = "/store/backup"

// Handler serves backups of the store that a server uses.
type Handler struct {
	Store  store.Store
	Audit  *audit.Log
	Now    func() time.Time
	Log    *slog.Logger
	MadeBy string

	running sync.Mutex
}

// Routes returns the endpoint. It is a POST that counts as a change: a backup has
// the hashes of secrets and the phone numbers of customers.
func (h *Handler) Routes() []admin.Route {
	return []admin.Route{{Method: http.MethodPost, Path: PathBackup, Handle: h.backup}}
}

var errRunning = apierr.New(apierr.Conflict, "another backup is being made: try again when it is done")

// chunkTime is how long the caller may take to read a part of the response.
const chunkTime = 30 * time.Second

func (h *Handler) backup(c *gin.Context) error {
	if !h.running.TryLock() {
		return errRunning
	}
	defer h.running.Unlock()
	w := &slowWriter{c: c, control: http.NewResponseController(c.Writer)}
	_ = w.control.SetReadDeadline(time.Time{}) // net/http would cancel the request
	c.Header("Content-Type", "application/jsonl")
	sum, err := Export(c.Request.Context(), h.Store, w, Options{Now: h.Now, Log: h.Log, MadeBy: h.MadeBy})
	h.Audit.Write(c.Request.Context(), audit.Change{
		Actor: admin.ActorOf(c), Action: "store.backup", Target: marker, Outcome: audit.OutcomeOf(err),
		After: map[string]any{"sha256": sum.SHA256, "counts": sum.Counts},
	})
	if err != nil && c.Writer.Written() {
		h.Log.ErrorContext(c.Request.Context(), "backup: not complete", "error", err)
		panic(http.ErrAbortHandler) // what is written cannot be taken back; it has no end
	}
	return err
}

// slowWriter gives each part of a long response its time.
type slowWriter struct {
	c       *gin.Context
	control *http.ResponseController
}

func (w *slowWriter) Write(b []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(chunkTime))
	return w.c.Writer.Write(b)
}
