package admin

import (
	"context"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// viewer returns what the admin API shows of a record R.
type viewer[R, V any] func(ctx context.Context, record R) (V, error)

// RecordRoutes returns the endpoints that every kind of record has, below path.
func RecordRoutes[R, V any](path string, g *registry.Registry[R], show viewer[R, V]) []Route {
	return append(StateRoutes(path, g, show), DeleteRoute(path+"/:id", ByID, g.Delete))
}

// StateRoutes returns RecordRoutes without the deletion.
func StateRoutes[R, V any](path string, g *registry.Registry[R], show viewer[R, V]) []Route {
	one := path + "/:id"
	return []Route{
		{Method: http.MethodGet, Path: one, Handle: func(c *gin.Context) error {
			record, err := g.Get(c.Request.Context(), c.Param("id"))
			return respond(c, g, show, record, err)
		}},
		{Method: http.MethodPost, Path: one + "/deactivate", Handle: act(g, show, g.Deactivate)},
		{Method: http.MethodPost, Path: one + "/reactivate", Handle: act(g, show, g.Reactivate)},
		{Method: http.MethodPost, Path: one + "/void-tokens", Handle: act(g, show, g.VoidTokens)},
	}
}

func act[R, V any](g *registry.Registry[R], show viewer[R, V], do func(context.Context, audit.Actor, string) (R, error)) web.Handler {
	return func(c *gin.Context) error {
		record, err := do(c.Request.Context(), ActorOf(c), c.Param("id"))
		return respond(c, g, show, record, err)
	}
}

func respond[R, V any](c *gin.Context, g *registry.Registry[R], show viewer[R, V], record R, err error) error {
	if err != nil {
		return err
	}
	v, err := show(c.Request.Context(), record)
	if err != nil {
		return err
	}
	SendRecord(c, http.StatusOK, g.Version(record), v)
	return nil
}

// Pager returns up to limit items with ids after the given one, in the order
// of their ids.
type Pager[V any] func(c *gin.Context, after string, limit int) ([]V, error)

// AllRecords returns a Pager of all records of the registry.
func AllRecords[R, V any](g *registry.Registry[R], show viewer[R, V]) Pager[V] {
	return func(c *gin.Context, after string, limit int) ([]V, error) {
		ctx := c.Request.Context()
		return registry.List(ctx, g, store.Page{After: after, Limit: limit}, func(record R) (V, bool, error) {
			v, err := show(ctx, record)
			return v, true, err
		})
	}
}

// ListRoute returns the route of a list: pages of items, under the given name in
// the response. The filters are the query parameters that page reads.
func ListRoute[V any](path, name string, page Pager[V], id func(V) string, filters ...string) Route {
	return ScanRoute(path, name, func(c *gin.Context, after string, limit int) (items []V, next string, err error) {
		items, err = page(c, after, limit)
		if n := len(items); n > 0 && n == limit {
			next = id(items[n-1])
		}
		return items, next, err
	}, filters...)
}

// Scanner returns up to limit items after the given place, and the place to go on
// after; "" at the end. It reads a bounded number of records, so it may return few
// items, or none, before the end.
type Scanner[V any] func(c *gin.Context, after string, limit int) (items []V, next string, err error)

// ScanRoute is ListRoute for a list whose filters may select few of many records.
func ScanRoute[V any](path, name string, scan Scanner[V], filters ...string) Route {
	return Route{Method: http.MethodGet, Path: path, Query: listQuery(filters...), Handle: func(c *gin.Context) error {
		after, limit, err := readPage(c)
		if err != nil {
			return err
		}
		items, next, err := scan(c, after, limit)
		if err != nil {
			return err
		}
		if items == nil {
			items = []V{} // never null
		}
		body := map[string]any{name: items}
		if next != "" {
			body["next_cursor"] = cursorAfter(next)
		}
		web.JSON(c, http.StatusOK, body)
		return nil
	}}
}

// WholeListRoute returns the route of a list that is short, and complete in the
// response unless the request has a limit.
func WholeListRoute[V any](path, name string, all func(c *gin.Context) ([]V, error), id func(V) string) Route {
	return Route{Method: http.MethodGet, Path: path, Query: listQuery(), Handle: func(c *gin.Context) error {
		after, limit, err := readPage(c)
		if err != nil {
			return err
		}
		items, err := all(c)
		if err != nil {
			return err
		}
		if after != "" {
			at := slices.IndexFunc(items, func(v V) bool { return id(v) == after })
			if at < 0 {
				return errCursor
			}
			items = items[at+1:]
		}
		body := map[string]any{name: items}
		if c.Query(paramLimit) != "" && len(items) > limit {
			body[name], body["next_cursor"] = items[:limit], nextCursor(id(items[limit-1]), limit, limit)
		}
		web.JSON(c, http.StatusOK, body)
		return nil
	}}
}

// idOf returns the id of the record that a request is about.
type idOf func(*gin.Context) string

// ByID returns the id in the path.
func ByID(c *gin.Context) string { return c.Param("id") }

// GetRoute returns the route that reads a record.
func GetRoute[V any](path string, id idOf, get func(ctx context.Context, id string) (V, error), version func(V) uint64) Route {
	return Route{Method: http.MethodGet, Path: path, Handle: func(c *gin.Context) error {
		v, err := get(c.Request.Context(), id(c))
		if err != nil {
			return err
		}
		SendRecord(c, http.StatusOK, version(v), v)
		return nil
	}}
}

// DeleteRoute returns the route that deletes a record.
func DeleteRoute(path string, id idOf, remove func(ctx context.Context, by audit.Actor, id string, version uint64) error) Route {
	return Route{Method: http.MethodDelete, Path: path, Handle: func(c *gin.Context) error {
		version, err := IfMatch(c)
		if err != nil {
			return err
		}
		if err := remove(c.Request.Context(), ActorOf(c), id(c), version); err != nil {
			return err
		}
		c.Status(http.StatusNoContent)
		return nil
	}}
}

// putter creates or changes a record. created reports which.
type putter[S, V any] func(ctx context.Context, by audit.Actor, id string, version uint64, spec S) (v V, created bool, err error)

// PutRoute returns the route that creates or changes a record. The status is 201
// if there was none.
func PutRoute[S, V any](path string, id idOf, put putter[S, V], version func(V) uint64) Route {
	return Route{Method: http.MethodPut, Path: path, Handle: func(c *gin.Context) error {
		var spec S
		if err := web.ReadJSON(c, &spec, false); err != nil {
			return err
		}
		given, err := IfMatch(c)
		if err != nil {
			return err
		}
		v, created, err := put(c.Request.Context(), ActorOf(c), id(c), given, spec)
		if err != nil {
			return err
		}
		status := http.StatusOK
		if created {
			status = http.StatusCreated
		}
		SendRecord(c, status, version(v), v)
		return nil
	}}
}

// SendRecord sends a record with the ETag of its version.
func SendRecord(c *gin.Context, status int, version uint64, v any) {
	setETag(c, version)
	web.JSON(c, status, v)
}
