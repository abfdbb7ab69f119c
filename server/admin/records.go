package admin

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/web"
)

// Records is what the admin API does with every kind of record. V is how one
// is shown.
type Records[V any] interface {
	Get(ctx context.Context, id string) (V, error)
	Deactivate(ctx context.Context, by audit.Actor, id string) (V, error)
	Reactivate(ctx context.Context, by audit.Actor, id string) (V, error)
	VoidTokens(ctx context.Context, by audit.Actor, id string) (V, error)
	Delete(ctx context.Context, by audit.Actor, id string, version uint64) error
}

// RecordRoutes are the endpoints that every kind of record has, below path.
func RecordRoutes[V any](path string, s Records[V], version func(V) uint64) []Route {
	r := recordRoutes[V]{version}
	one := path + "/:id"
	return []Route{
		GetRoute(one, ByID, s.Get, version),
		DeleteRoute(one, ByID, s.Delete),
		{Method: http.MethodPost, Path: one + "/deactivate", Handle: r.act(s.Deactivate)},
		{Method: http.MethodPost, Path: one + "/reactivate", Handle: r.act(s.Reactivate)},
		{Method: http.MethodPost, Path: one + "/void-tokens", Handle: r.act(s.VoidTokens)},
	}
}

// Pager answers up to limit items with ids after the given one, by id, of
// those that a request asks for.
type Pager[V any] func(c *gin.Context, after string, limit int) ([]V, error)

// Unfiltered is the Pager of a list that shows everything there is.
func Unfiltered[V any](list func(ctx context.Context, after string, limit int) ([]V, error)) Pager[V] {
	return func(c *gin.Context, after string, limit int) ([]V, error) {
		return list(c.Request.Context(), after, limit)
	}
}

// ListRoute is the list of that name: pages of items with ids after the one
// that the last page ended with.
func ListRoute[V any](path, name string, page Pager[V], id func(V) string) Route {
	return Route{Method: http.MethodGet, Path: path, Handle: func(c *gin.Context) error {
		after, limit, err := Page(c)
		if err != nil {
			return err
		}
		items, err := page(c, after, limit)
		if err != nil {
			return err
		}
		last := ""
		if len(items) > 0 {
			last = id(items[len(items)-1])
		}
		answer := map[string]any{name: items}
		if cursor := Cursor(last, len(items), limit); cursor != "" {
			answer["next_cursor"] = cursor
		}
		web.JSON(c, http.StatusOK, answer)
		return nil
	}}
}

// IDOf answers the id of the record that a request is about.
type IDOf func(*gin.Context) string

// ByID is the one in the path.
func ByID(c *gin.Context) string { return c.Param("id") }

// GetRoute is GET of a record.
func GetRoute[V any](path string, id IDOf, get func(ctx context.Context, id string) (V, error), version func(V) uint64) Route {
	return Route{Method: http.MethodGet, Path: path, Handle: func(c *gin.Context) error {
		v, err := get(c.Request.Context(), id(c))
		return recordRoutes[V]{version}.answer(c, v, err)
	}}
}

// DeleteRoute is DELETE of a record.
func DeleteRoute(path string, id IDOf, remove func(ctx context.Context, by audit.Actor, id string, version uint64) error) Route {
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

// Putter makes a record or changes it, and says whether it was made.
type Putter[S, V any] func(ctx context.Context, by audit.Actor, id string, version uint64, spec S) (v V, created bool, err error)

// PutRoute is PUT of a record: 201 if there was none.
func PutRoute[S, V any](path string, id IDOf, put Putter[S, V], version func(V) uint64) Route {
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
		Answer(c, status, version(v), v)
		return nil
	}}
}

type recordRoutes[V any] struct{ version func(V) uint64 }

func (r recordRoutes[V]) act(do func(context.Context, audit.Actor, string) (V, error)) web.Handler {
	return func(c *gin.Context) error {
		v, err := do(c.Request.Context(), ActorOf(c), c.Param("id"))
		return r.answer(c, v, err)
	}
}

func (r recordRoutes[V]) answer(c *gin.Context, v V, err error) error {
	if err != nil {
		return err
	}
	Answer(c, http.StatusOK, r.version(v), v)
	return nil
}

// Answer sends a record with the ETag of its version.
func Answer(c *gin.Context, status int, version uint64, v any) {
	ETag(c, version)
	web.JSON(c, status, v)
}
