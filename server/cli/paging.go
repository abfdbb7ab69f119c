package cli

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net/http"
	"net/url"
	"strconv"

	"github.com/grantd/grantd/server/admin"
)

// everything is a limit that no list reaches.
const everything = math.MaxInt

// pages gathers up to limit items of the paged list at a path, in its order,
// as one answer of the form {"<name>":[…]}. The query of from is asked for on
// each page.
func (c *api) pages(ctx context.Context, from call, name string, limit int) ([]byte, error) {
	items := []json.RawMessage{}
	for cursor := ""; ; {
		query := url.Values{"limit": {strconv.Itoa(min(limit-len(items), admin.MaxPage))}}
		maps.Copy(query, from.query)
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		answer, err := c.do(ctx, call{method: http.MethodGet, path: from.path, query: query})
		if err != nil {
			return nil, err
		}
		page, next, err := readPage(answer, name)
		if err != nil {
			return nil, err
		}
		items = append(items, page[:min(len(page), limit-len(items))]...)
		if next == "" || len(items) >= limit {
			return json.Marshal(map[string]any{name: items})
		}
		if next == cursor || len(page) == 0 {
			return nil, errors.New("the server's list has no end: it gives the same page again")
		}
		cursor = next
	}
}

func readPage(answer []byte, name string) (items []json.RawMessage, next string, err error) {
	page, err := decode[map[string]json.RawMessage](answer)
	if err != nil {
		return nil, "", err
	}
	if items, err = decode[[]json.RawMessage](page[name]); err != nil {
		return nil, "", err
	}
	if page["next_cursor"] != nil {
		next, err = decode[string](page["next_cursor"])
	}
	return items, next, err
}
