package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"
)

// askers is how many connections fill a cache at the same time.
const askers = 32

// fill introspects each token of the list exactly once. A load would skip some,
// because it runs for a time and not for a number of tokens.
func fill(ctx context.Context, g *grantd, list tokenList) error {
	file, err := os.Open(list.path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(io.NewSectionReader(file, int64(list.first*(list.width+1)), int64(list.count*(list.width+1))))
	transport := &http.Transport{MaxIdleConnsPerHost: askers}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	tokens := make(chan string)
	all, ctx := errgroup.WithContext(ctx)
	for range askers {
		all.Go(func() error {
			for token := range tokens {
				if err := mustBeActive(ctx, client, g, token); err != nil {
					return err
				}
			}
			return nil
		})
	}
	all.Go(func() error {
		defer close(tokens)
		for lines.Scan() {
			select {
			case tokens <- lines.Text():
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return lines.Err()
	})
	return all.Wait()
}

func mustBeActive(ctx context.Context, c *http.Client, g *grantd, token string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+pathIntrospect, strings.NewReader("token="+token))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", typeForm)
	req.SetBasicAuth(g.server.ID, g.server.Secret)
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
	case res.StatusCode == http.StatusServiceUnavailable:
		err = unavailable{1, 1}
	case !strings.HasPrefix(string(body), active.starts):
		err = fmt.Errorf("%s: a seeded token gets the response %d %s", g.name, res.StatusCode, body)
	}
	return err
}
