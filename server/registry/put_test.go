package registry

import (
	"context"
	"testing"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/store"
)

// first returns the record that Put creates.
func (w *world) first(id string) store.Client {
	return store.Client{ID: id, Name: "first", Head: w.clients.NewHead()}
}

// The feed is told of a new record (invariant 9).
func TestCreate(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		start, begun := w.feed.Position(), time.Now()
		refused(t, "a new id", w.clients.Create(t.Context(), by, w.first("a")), "")
		refused(t, "a taken id", w.clients.Create(t.Context(), by, w.first("a")), apierr.Conflict)
		same(t, "feed", w.told(t, start), "change client:a")
		if took := time.Since(begun); took != 0 {
			t.Errorf("it waited %v for the replicas, which cannot have the record", took)
		}
		same(t, "audit: the caller's", w.audited(t))

		start = w.feed.Position()
		w.clients.kind.Uncached = true
		refused(t, "a record that nobody caches", w.clients.Create(t.Context(), by, w.first("b")), "")
		same(t, "feed", w.told(t, start))
	})
}

func TestPut(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		start := w.feed.Position()
		c, created, err := w.clients.Put(t.Context(), w.first("a"), to(w, "a", "second"))
		refused(t, "there is none", err, "")
		if !created || c.Name != "first" || w.stored(t, "a").Version != c.Version {
			t.Errorf("created %v: %+v", created, c)
		}
		c, created, err = w.clients.Put(t.Context(), w.first("a"), to(w, "a", "second"))
		refused(t, "there is one", err, "")
		if created || c.Name != "second" {
			t.Errorf("created %v: %+v", created, c)
		}
		same(t, "feed", w.told(t, start), "change client:a", "change client:a")
		same(t, "audit", w.audited(t), "client.create client:a done", "client.update client:a done")
	})
}

// A required version creates nothing (RFC 9110 §13.1.1).
func TestPutOfAVersion(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c := w.add(t, "a")
		for _, row := range []struct {
			rule    string
			id      string
			version uint64
			code    apierr.Code
		}{
			{"the stored one", "a", c.Version, ""},
			{"an older one", "a", c.Version, apierr.PreconditionFailed},
			{"any", "a", AnyVersion, ""},
			{"one of a record that does not exist", "b", c.Version, apierr.PreconditionFailed},
			{"any of a record that does not exist", "b", AnyVersion, apierr.PreconditionFailed},
		} {
			st := to(w, row.id, "second")
			st.Version = row.version
			_, created, err := w.clients.Put(t.Context(), w.first(row.id), st)
			refused(t, row.rule, err, row.code)
			if created {
				t.Errorf("%s: it was created", row.rule)
			}
		}
		if n := w.Calls("CreateClient"); n != 0 {
			t.Errorf("%d attempts to create", n)
		}
		same(t, "audit", w.audited(t), "client.update client:a done", "client.update client:a precondition_failed", "client.update client:a done",
			"client.update client:b precondition_failed", "client.update client:b precondition_failed")
	})
}

// A record that is deleted between the two halves of Put is created after all.
func TestPutWhileItIsDeleted(t *testing.T) {
	for _, row := range []struct {
		rule    string
		deleted int // how often it comes and goes
		code    apierr.Code
	}{
		{"once", 1, ""},
		{"again and again", casTries, apierr.Conflict},
	} {
		t.Run(row.rule, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				deleted := 0
				w.Hook("CreateClient", func() {
					if deleted < row.deleted {
						w.add(t, "a")
					}
				})
				w.Hook("GetClient", func() {
					if deleted++; deleted <= row.deleted {
						if err := w.Store.Clients().Delete(t.Context(), "a", w.stored(t, "a").Version); err != nil {
							t.Error(err)
						}
					}
				})
				_, created, err := w.clients.Put(t.Context(), w.first("a"), to(w, "a", "second"))
				refused(t, row.rule, err, row.code)
				if created != (row.code == "") {
					t.Errorf("created: %v", created)
				}
				action := "client.create client:a done"
				if !created {
					action = "client.update client:a conflict"
				}
				same(t, "audit", w.audited(t), action)
			})
		})
	}
}

// What fails while a record is created is audited as a failed creation.
func TestPutThatFails(t *testing.T) {
	for _, method := range []string{"CreateClient", "AppendFeed"} {
		t.Run(method, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.Fail(method, store.ErrUnavailable)
				_, created, err := w.clients.Put(t.Context(), w.first("a"), to(w, "a", "second"))
				refused(t, method, err, apierr.Unavailable)
				if created {
					t.Error("it says that it created the record")
				}
				same(t, "audit", w.audited(t), "client.create client:a temporarily_unavailable")
			})
		})
	}
}

// Invariant 10 holds for Put too.
func TestPutOutlivesItsCaller(t *testing.T) {
	for _, at := range []string{"CreateClient", "AppendFeed"} {
		t.Run(at, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				ctx, cancel := context.WithCancel(t.Context())
				w.Hook(at, cancel)
				_, created, err := w.clients.Put(ctx, w.first("a"), to(w, "a", "second"))
				refused(t, "the caller has gone", err, "")
				if !created {
					t.Error("it was not created")
				}
				same(t, "audit", w.audited(t), "client.create client:a done")
			})
		})
	}
}
