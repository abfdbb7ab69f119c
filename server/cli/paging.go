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

// collectPages reads up to limit items of a paged list, in its order, and
// returns them as one response of the form {"<name>":[…]}. The query of from
// is part of the request for each page.
func (c *api) collectPages(ctx context.Context, from call, name string, limit int) ([]byte, error) {
	items := []json.RawMessage{}
	for cursor := ""; ; {
		query := url.Values{"limit": {strconv.Itoa(min(limit-len(items), admin.MaxPage))}}
		maps.Copy(query, from.query)
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		response, err := c.do(ctx, call{method: http.MethodGet, path: from.path, query: query})
		if err != nil {
			return nil, err
		}
		page, next, err := readPage(response, name)
		if err != nil {
			return nil, err
		}
		items = append(items, page[:min(len(page), limit-len(items))]...)
		if next == "" || len(items) >= limit {
			return json.Marshal(map[string]any{name: items})
		}
		if next == cursor || len(page) == 0 {
			return nil, errors.New("the server's list never ends: it returned the same page twice")
		}
		cursor = next
	}
}

func readPage(response []byte, name string) (items []json.RawMessage, next string, err error) {
	page, err := decode[map[string]json.RawMessage](response)
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
