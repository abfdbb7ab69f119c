package admin

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/field"
)

// The parameters of every list.
const (
	paramLimit  = "limit"
	paramCursor = "cursor"
)

// maxDuration is the longest duration in a query.
const maxDuration = 3650 * 24 * time.Hour

// listQuery returns the query parameters of a list with the filters.
func listQuery(filters ...string) []string {
	return append([]string{paramLimit, paramCursor}, filters...)
}

var (
	errQuery    = apierr.New(apierr.InvalidRequest, "the query of the URL cannot be read").At("query")
	errUnknown  = apierr.New(apierr.InvalidRequest, "this endpoint has no such query parameter")
	errRepeated = apierr.New(apierr.InvalidRequest, "the query parameter is repeated")
	errDuration = apierr.New(apierr.InvalidRequest, "must be a duration such as 24h or 30d, at most 3650d")
	errEmpty    = apierr.New(apierr.InvalidRequest, "the query parameter is empty: leave it out")

	// showable is a name that an error may repeat. A secret or a token is longer.
	showable = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,40}$`)
)

// QueryDuration returns the value of a query parameter that is a duration, such as
// 30d; 0 if the request does not have it.
func QueryDuration(c *gin.Context, name string) (time.Duration, error) {
	text := c.Query(name)
	if text == "" {
		return 0, nil
	}
	d, err := field.ParseDuration(text)
	if err != nil || d <= 0 || d > maxDuration {
		return 0, errDuration.At(name)
	}
	return d, nil
}

// QueryOneOf returns the value of a query parameter that must be one of the values;
// "" if the request does not have it.
func QueryOneOf[T ~string](c *gin.Context, name string, values ...T) (T, error) {
	value := T(c.Query(name))
	if value == "" || slices.Contains(values, value) {
		return value, nil
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return "", apierr.New(apierr.InvalidRequest, name+" must be one of "+strings.Join(texts, ", ")).At(name)
}

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
