package admin

import (
	"maps"
	"net/url"
	"regexp"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
)

// The parameters of every list.
const (
	paramLimit  = "limit"
	paramCursor = "cursor"
)

// listQuery returns the query parameters of a list with the filters.
func listQuery(filters ...string) []string {
	return append([]string{paramLimit, paramCursor}, filters...)
}

var (
	errQuery    = apierr.New(apierr.InvalidRequest, "the query of the URL cannot be read").At("query")
	errUnknown  = apierr.New(apierr.InvalidRequest, "this endpoint has no such query parameter")
	errRepeated = apierr.New(apierr.InvalidRequest, "the query parameter is repeated")
	errEmpty    = apierr.New(apierr.InvalidRequest, "the query parameter is empty: leave it out")

	// showable is a name that an error may repeat. A secret or a token is longer.
	showable = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,40}$`)
)

// checkQuery refuses parameters that the endpoint does not know. A filter that is
// not applied must not look applied.
func checkQuery(c *gin.Context, known []string) error {
	raw := c.Request.URL.RawQuery
	if raw == "" {
		return nil
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return errQuery
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		values := query[name]
		switch {
		case !slices.Contains(known, name) && showable.MatchString(name):
			return errUnknown.At(name)
		case !slices.Contains(known, name):
			return errUnknown.At("query")
		case len(values) > 1:
			return errRepeated.At(name)
		case values[0] == "" && name != paramLimit && name != paramCursor:
			return errEmpty.At(name)
		}
	}
	return nil
}
