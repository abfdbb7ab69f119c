package registry

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/store"
)

// Invariant 1: the record is written before the feed is told.
func TestChangeWritesTheRecordBeforeTheFeed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		old, start := w.add(t, "a"), w.feed.Position()
		asleep := time.Minute
		time.Sleep(asleep)
		w.Hook("AppendFeed", func() {
			if w.stored(t, "a").Name != "second" {
				t.Error("the feed is told of a record that is not written")
			}
		})
		c, err := w.clients.Change(t.Context(), to(w, "a", "second"))
		refused(t, "a change", err, "")
		if c.Version != old.Version+1 || c.Name != "second" || c.Resource != "tidied" || !c.UpdatedAt.Equal(old.UpdatedAt.Add(asleep)) {
			t.Errorf("the changed record: %+v", c)
		}
		if s := w.stored(t, "a"); s.Version != c.Version || s.Name != c.Name {
			t.Errorf("returned %+v, stored %+v", c, s)
		}
		same(t, "feed", w.told(t, start), "change client:a")
		same(t, "audit", w.audited(t), "client.update client:a done")
		if e, _ := w.ListAudit(t.Context(), "", 1); string(e[0].Before) != `"first"` || string(e[0].After) != `"second"` || e[0].Actor != by.Name || e[0].RequestID != by.RequestID {
			t.Errorf("the audit event: %+v", e[0])
		}
	})
}

// Invariant 2: a record that someone else changed in the meantime is read and
// edited again, casTries times in all.
func TestChangeBesideOthers(t *testing.T) {
	for _, row := range []struct {
		rule   string
		others int
		code   apierr.Code
	}{
		{"one change of someone else", 1, ""},
		{"the last try succeeds", casTries - 1, ""},
		{"too many", casTries, apierr.Conflict},
	} {
		t.Run(row.rule, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.add(t, "a")
				others := 0
				w.Hook("UpdateClient", func() {
					if others++; others <= row.others {
						c := w.stored(t, "a")
						c.Scopes = append(c.Scopes, "by someone else")
						if err := w.Store.Clients().Update(t.Context(), c); err != nil {
							t.Error(err)
						}
					}
				})
				start := w.feed.Position()
				_, err := w.clients.Change(t.Context(), to(w, "a", "second"))
				refused(t, row.rule, err, row.code)
				c := w.stored(t, "a")
				if len(c.Scopes) != row.others || (c.Name == "second") != (row.code == "") {
					t.Errorf("stored: %+v", c)
				}
				if told := len(w.told(t, start)); told != map[bool]int{true: 1}[row.code == ""] {
					t.Errorf("%d entries in the feed", told)
				}
				outcome := "done"
				if row.code != "" {
					outcome = string(row.code)
				}
				same(t, "audit", w.audited(t), "client.update client:a "+outcome)
			})
		})
	}
}

// A change may require a version (RFC 9110 §13.1.1).
func TestChangeOfAVersion(t *testing.T) {
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
			{"none is required", "a", 0, ""},
			{"one of a record that does not exist", "b", 7, apierr.NotFound},
			{"any of a record that does not exist", "b", AnyVersion, apierr.NotFound},
			{"an id that cannot be one", "not valid", 0, apierr.NotFound},
		} {
			st := to(w, row.id, row.rule)
			st.Version = row.version
			_, err := w.clients.Change(t.Context(), st)
			refused(t, row.rule, err, row.code)
			if row.id == "a" && (w.stored(t, "a").Name == row.rule) != (row.code == "") {
				t.Errorf("%s: the record is %+v", row.rule, w.stored(t, "a"))
			}
		}
		// What was given as an id may be a secret, and is not audited.
		same(t, "audit", w.audited(t), "client.update client:a done", "client.update client:a precondition_failed", "client.update client:a done",
			"client.update client:a done", "client.update client:b not_found", "client.update client:b not_found", "client.update client:? not_found")
	})
}

// Invariant 3: a change that was begun for a deleted record does not fit the
// next one with its id.
func TestChangeOfAFormerRecord(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		former := w.add(t, "a")
		replace := func() {
			w.Heal("UpdateClient")
			if err := w.Store.Clients().Delete(t.Context(), "a", former.Version); err != nil {
				t.Error(err)
			}
			w.add(t, "a")
		}
		w.Hook("UpdateClient", replace)
		st := to(w, "a", "second")
		st.Version = former.Version
		_, err := w.clients.Change(t.Context(), st)
		refused(t, "a change of the former record", err, apierr.PreconditionFailed)
		if c := w.stored(t, "a"); c.Name != "first" {
			t.Errorf("the new record was changed: %+v", c)
		}
	})
	seen := map[uint64]bool{}
	for range 100 {
		v := FirstVersion(time.Now())
		if v == 0 || v > 1<<53 {
			t.Errorf("first version %d: JSON parsers keep 53 bits, and 0 means any", v)
		}
		seen[v] = true
	}
	if len(seen) < 90 {
		t.Errorf("%d different first versions of 100, all made at the same time", len(seen))
	}
}

// An Edit that refuses leaves everything as it was, and is audited.
func TestChangeThatEditRefuses(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a")
		st := to(w, "a", "second")
		st.Edit = func(*store.Client) error { return apierr.New(apierr.InvalidRequest, "no") }
		_, err := w.clients.Change(t.Context(), st)
		refused(t, "Edit refuses", err, apierr.InvalidRequest)
		if n := w.Calls("UpdateClient"); n != 0 {
			t.Errorf("%d writes", n)
		}
		same(t, "audit", w.audited(t), "client.update client:a invalid_request")
	})
}

// A change with nothing to write succeeds, and nobody is told.
func TestChangeOfNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		old, start := w.add(t, "a"), w.feed.Position()
		st := to(w, "a", "")
		st.Edit = func(*store.Client) error { return ErrUnchanged }
		c, err := w.clients.Change(t.Context(), st)
		refused(t, "nothing to write", err, "")
		if c.Version != old.Version || w.Calls("UpdateClient") != 0 {
			t.Errorf("%d writes, version %d of %d", w.Calls("UpdateClient"), c.Version, old.Version)
		}
		same(t, "feed", w.told(t, start))
		same(t, "audit", w.audited(t))
	})
}

// Invariant 10: the caller's context does not end a change that has begun.
func TestChangeOutlivesItsCaller(t *testing.T) {
	for _, at := range []string{"GetClient", "UpdateClient", "AppendFeed", "AppendAudit"} {
		t.Run(at, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.add(t, "a")
				start := w.feed.Position()
				ctx, cancel := context.WithCancel(t.Context())
				w.Hook(at, cancel)
				_, err := w.clients.Change(ctx, to(w, "a", "second"))
				refused(t, "the caller has gone", err, "")
				same(t, "feed", w.told(t, start), "change client:a")
				same(t, "audit", w.audited(t), "client.update client:a done")
			})
		})
	}
}

// Invariant 10: a change has changeTimeout, and its failure is audited.
func TestChangeIsBounded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a")
		_, release := w.Block("UpdateClient")
		defer release()
		begun := time.Now()
		_, err := w.clients.Change(t.Context(), to(w, "a", "second"))
		refused(t, "the store hangs", err, apierr.Unavailable)
		if took := time.Since(begun); took != changeTimeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it took %v: %v", took, err)
		}
		same(t, "audit", w.audited(t), "client.update client:a temporarily_unavailable")
	})
}

// A change returns when every replica has applied it.
func TestChangeWaitsForTheReplicas(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a")
		uncached := *w.clients
		uncached.kind.Uncached = true
		unsettled, recorded := to(w, "a", "third"), to(w, "a", "sixth")
		unsettled.Unsettled = true
		recorded.Recorded = func() bool { return true }
		for _, row := range []struct {
			rule string
			in   *Registry[store.Client]
			step Step[store.Client]
			want time.Duration
		}{
			{"a cached record", w.clients, to(w, "a", "fourth"), staleness},
			{"a change that ends tokens", w.clients, narrowing(w, "a", "fifth"), staleness},
			{"a record that nobody caches", &uncached, to(w, "a", "second"), 0},
			{"an end of a record that nobody caches", &uncached, recorded, staleness},
			{"the caller waits itself", w.clients, unsettled, 0},
		} {
			begun := time.Now()
			_, err := row.in.Change(t.Context(), row.step)
			refused(t, row.rule, err, "")
			if took := time.Since(begun); took != row.want {
				t.Errorf("%s: it took %v, want %v", row.rule, took, row.want)
			}
		}
	})
}

// Whatever fails, the audit says that the change failed.
func TestChangeThatFails(t *testing.T) {
	for _, method := range []string{"GetClient", "UpdateClient", "AppendFeed"} {
		t.Run(method, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.add(t, "a")
				w.Fail(method, store.ErrUnavailable)
				_, err := w.clients.Change(t.Context(), to(w, "a", "second"))
				refused(t, method, err, apierr.Unavailable)
				same(t, "audit", w.audited(t), "client.update client:a temporarily_unavailable")
			})
		})
	}
}

// After replaces the record in the audit, where it would say too little.
func TestChangeAuditsWhatAfterReturns(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a")
		st := to(w, "a", "second")
		st.After = func() any { return "a secret's id" }
		_, err := w.clients.Change(t.Context(), st)
		refused(t, "a change", err, "")
		if e, _ := w.ListAudit(t.Context(), "", 1); e[0].Before != nil || string(e[0].After) != `"a secret's id"` {
			t.Errorf("the audit event: %+v", e[0])
		}
	})
}
