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
	err := c.eachPage(ctx, from, name, min(limit, admin.MaxPage), func(page []json.RawMessage) (int, error) {
		items = append(items, page[:min(len(page), limit-len(items))]...)
		return min(limit-len(items), admin.MaxPage), nil
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{name: items})
}

// eachPage calls take with the items of each page of a list. The first page has
// up to size items. take returns the size of the next one, or 0 to stop. A page
// of a filtered list may be short, or empty, before the end.
func (c *api) eachPage(ctx context.Context, from call, name string, size int, take func(page []json.RawMessage) (next int, err error)) error {
	for cursor := ""; ; {
		query := url.Values{"limit": {strconv.Itoa(size)}}
		maps.Copy(query, from.query)
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		response, err := c.do(ctx, call{method: http.MethodGet, path: from.path, query: query})
		if err != nil {
			return err
		}
		page, next, err := readPage(response, name)
		if err != nil {
			return err
		}
		if size, err = take(page); err != nil {
			return err
		}
		if next == "" || size == 0 {
			return nil
		}
		if next == cursor {
			return errors.New("the server's list never ends: it returned the same page twice")
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
