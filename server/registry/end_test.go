package registry

import (
	"context"
	"testing"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/store"
)

func TestDeactivate(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a")
		minted := w.feed.Position()
		c, err := w.clients.Deactivate(t.Context(), by, "a")
		refused(t, "deactivate", err, "")
		if c.DeactivatedAt == nil || !w.dead("a", minted) {
			t.Errorf("%+v; its token is void: %v", c, w.dead("a", minted))
		}
		same(t, "feed: a void says that the record has changed too", w.told(t, minted), "void client:a")

		again := w.feed.Position()
		time.Sleep(time.Hour)
		second, err := w.clients.Deactivate(t.Context(), by, "a")
		refused(t, "again", err, "")
		if !second.DeactivatedAt.Equal(*c.DeactivatedAt) {
			t.Error("a second call moves the time")
		}
		same(t, "feed: the first call may have failed to tell it", w.told(t, again), "void client:a")

		_, err = w.clients.Deactivate(t.Context(), by, "b")
		refused(t, "there is none", err, apierr.NotFound)
		same(t, "audit", w.audited(t), "client.deactivate client:a done", "client.deactivate client:a done", "client.deactivate client:b not_found")
	})
}

// A deactivation that the feed did not get is in the record, and repeating the
// call completes it.
func TestDeactivateWithoutTheFeed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a")
		minted := w.feed.Position()
		w.Fail("AppendFeed", store.ErrUnavailable)
		_, err := w.clients.Deactivate(t.Context(), by, "a")
		refused(t, "without the feed", err, apierr.Unavailable)
		if w.stored(t, "a").DeactivatedAt == nil || w.dead("a", minted) {
			t.Errorf("stored %+v; void: %v", w.stored(t, "a"), w.dead("a", minted))
		}
		w.Heal("AppendFeed")
		_, err = w.clients.Deactivate(t.Context(), by, "a")
		refused(t, "again", err, "")
		if !w.dead("a", minted) {
			t.Error("its token is not void")
		}
	})
}

func TestReactivate(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a")
		minted := w.feed.Position()
		_, err := w.clients.Deactivate(t.Context(), by, "a")
		refused(t, "deactivate", err, "")
		between := w.feed.Position()
		c, err := w.clients.Reactivate(t.Context(), by, "a")
		refused(t, "reactivate", err, "")
		if c.DeactivatedAt != nil || !w.dead("a", minted) || w.dead("a", w.feed.Position()) {
			t.Errorf("%+v: the old token must stay void, and a new one be valid", c)
		}
		same(t, "feed", w.told(t, between), "change client:a")
		same(t, "audit", w.audited(t), "client.deactivate client:a done", "client.reactivate client:a done")
	})
}

// A reactivation after a deactivation that the feed did not get voids the
// tokens of before: they were to end.
func TestReactivateAfterAnUnannouncedDeactivation(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a")
		minted := w.feed.Position()
		w.Fail("AppendFeed", store.ErrUnavailable)
		_, err := w.clients.Deactivate(t.Context(), by, "a")
		refused(t, "deactivate", err, apierr.Unavailable)
		w.Heal("AppendFeed")
		_, err = w.clients.Reactivate(t.Context(), by, "a")
		refused(t, "reactivate", err, "")
		if !w.dead("a", minted) {
			t.Error("the token of before is valid again")
		}
	})
}

// VoidTokens writes no record, unless the record itself holds tokens.
func TestVoidTokens(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c := w.add(t, "a")
		minted, begun := w.feed.Position(), time.Now()
		_, err := w.clients.VoidTokens(t.Context(), by, "a")
		refused(t, "void tokens", err, "")
		if took := time.Since(begun); !w.dead("a", minted) || w.stored(t, "a").Version != c.Version || took != staleness {
			t.Errorf("void: %v, stored %+v, after %v", w.dead("a", minted), w.stored(t, "a"), took)
		}
		_, err = w.clients.VoidTokens(t.Context(), by, "b")
		refused(t, "there is none", err, apierr.NotFound)
		w.Fail("AppendFeed", store.ErrUnavailable)
		_, err = w.clients.VoidTokens(t.Context(), by, "a")
		refused(t, "without the feed", err, apierr.Unavailable)
		w.Heal("AppendFeed")

		w.addPartner(t, "p")
		minted = w.feed.Position()
		p, err := w.partners.VoidTokens(t.Context(), by, "p")
		refused(t, "tokens in the record", err, "")
		if p.Name != "ended by uid:0" || p.DeactivatedAt != nil {
			t.Errorf("%+v", p)
		}
		same(t, "feed", w.told(t, minted), "void partner:p")
		same(t, "audit", w.audited(t), "client.void_tokens client:a done", "client.void_tokens client:b not_found",
			"client.void_tokens client:a temporarily_unavailable", "partner.void_tokens partner:p done")
	})
}

// addPartner writes a partner with a grant of the org acme.
func (w *world) addPartner(t *testing.T, id string) {
	t.Helper()
	if err := w.Store.Partners().Create(t.Context(), store.Partner{ID: id, Name: "first", Head: w.partners.NewHead()}); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.Grants().Create(t.Context(), store.Grant{PartnerID: id, OrgID: "acme"}); err != nil {
		t.Fatal(err)
	}
}

// Invariant 9: deactivate, void, remove, void again.
func TestDelete(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addPartner(t, "p")
		start, begun := w.feed.Position(), time.Now()
		var order []string
		for _, method := range []string{"UpdatePartner", "AppendFeed", "DeletePartner"} {
			w.Hook(method, func() { order = append(order, method) })
		}
		w.Hook("DeleteGrant", func() {
			order = append(order, "DeleteGrant")
			p, err := w.Store.Partners().Get(t.Context(), "p")
			if err != nil || p.DeactivatedAt == nil || p.Name != "ended by uid:0" || !p.Unannounced {
				t.Errorf("what can be read while it is deleted: %+v, %v", p, err)
			}
		})
		refused(t, "delete", w.partners.Delete(t.Context(), by, "p", 0), "")
		same(t, "order", order, "UpdatePartner", "AppendFeed", "DeleteGrant", "DeletePartner", "AppendFeed")
		same(t, "feed", w.told(t, start), "void partner:p", "void partner:p")
		if took := time.Since(begun); took != staleness {
			t.Errorf("it took %v, want one wait for the replicas", took)
		}
		_, err := w.partners.Get(t.Context(), "p")
		refused(t, "it is gone", err, apierr.NotFound)
		same(t, "audit", w.audited(t), "partner.delete partner:p done")
		if e, _ := w.ListAudit(t.Context(), "", 1); string(e[0].Before) != `"first"` {
			t.Errorf("the audit event: %+v", e[0])
		}
	})
}

// A deletion that stops half-way leaves a record that must be refused, and
// repeating it completes it.
func TestDeleteHalfWay(t *testing.T) {
	for _, row := range []struct {
		rule        string
		method      string
		call        int
		deactivated bool        // the record that is left
		void        bool        // its tokens
		again       apierr.Code // what a second call returns
	}{
		{"read", "GetPartner", 1, false, false, ""},
		{"deactivate", "UpdatePartner", 1, false, false, ""},
		{"void", "AppendFeed", 1, true, false, ""},
		{"remove what belongs to it", "DeleteGrant", 1, true, true, ""},
		{"remove it", "DeletePartner", 1, true, true, ""},
		{"void again", "AppendFeed", 2, true, true, apierr.NotFound},
	} {
		t.Run(row.rule, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.addPartner(t, "p")
				minted := w.feed.Position()
				w.failAt(row.method, row.call)
				refused(t, row.rule, w.partners.Delete(t.Context(), by, "p", 0), apierr.Unavailable)
				p, err := w.Store.Partners().Get(t.Context(), "p")
				if gone := err != nil; gone != (row.again != "") || !gone && (p.DeactivatedAt != nil) != row.deactivated {
					t.Errorf("what is left: %+v, %v", p, err)
				}
				_, void := w.feed.VoidedKey(store.PrincipalPartner("p"), minted)
				if void != row.void {
					t.Errorf("its tokens are void: %v, want %v", void, row.void)
				}
				refused(t, "again", w.partners.Delete(t.Context(), by, "p", 0), row.again)
				if _, void := w.feed.VoidedKey(store.PrincipalPartner("p"), minted); !void {
					t.Error("its tokens are not void")
				}
				outcome := "done"
				if row.again != "" {
					outcome = string(row.again)
				}
				same(t, "audit", w.audited(t), "partner.delete partner:p temporarily_unavailable", "partner.delete partner:p "+outcome)
			})
		})
	}
}

func TestDeleteOfAVersion(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for _, row := range []struct {
			rule    string
			version uint64 // added to the stored one, if it is small
			code    apierr.Code
		}{
			{"the stored one", 0, ""},
			{"another one", 1, apierr.PreconditionFailed},
			{"any", AnyVersion, ""},
		} {
			id := "a"
			c, err := w.clients.Get(t.Context(), id)
			if err != nil {
				c = w.add(t, id)
			}
			version := row.version
			if version != AnyVersion {
				version += c.Version
			}
			refused(t, row.rule, w.clients.Delete(t.Context(), by, id, version), row.code)
			_, err = w.clients.Get(t.Context(), id)
			refused(t, row.rule+": it is gone", err, map[bool]apierr.Code{true: apierr.NotFound}[row.code == ""])
		}
		refused(t, "any of none", w.clients.Delete(t.Context(), by, "b", AnyVersion), apierr.NotFound)
		w.add(t, "c")
		w.Hook("UpdateClient", func() {
			w.Heal("UpdateClient")
			w.rename(t, "c", "by someone else")
		})
		refused(t, "changed by someone else", w.clients.Delete(t.Context(), by, "c", 0), apierr.Conflict)
		if c := w.stored(t, "c"); c.DeactivatedAt != nil {
			t.Errorf("a change of someone else was overwritten: %+v", c)
		}
		same(t, "audit", w.audited(t), "client.delete client:a done", "client.delete client:a precondition_failed", "client.delete client:a done",
			"client.delete client:b not_found", "client.delete client:c conflict")
	})
}

// Invariant 10 holds for a deletion too.
func TestDeleteOutlivesItsCaller(t *testing.T) {
	for _, at := range []string{"UpdateClient", "AppendFeed", "DeleteClient"} {
		t.Run(at, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.add(t, "a")
				ctx, cancel := context.WithCancel(t.Context())
				w.Hook(at, cancel)
				refused(t, "the caller has gone", w.clients.Delete(ctx, by, "a", 0), "")
				_, err := w.clients.Get(t.Context(), "a")
				refused(t, "it is gone", err, apierr.NotFound)
				same(t, "audit", w.audited(t), "client.delete client:a done")
			})
		})
	}
}
