package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

const (
	// seeders is how many goroutines write tokens at the same time: the embedded
	// store syncs their writes together, and Redis stays busy.
	seeders = 256
	// seedLife is longer than any run.
	seedLife = 12 * time.Hour
)

// tokenList is a part of a file with one token per line, all of the same length.
type tokenList struct {
	path         string
	width        int
	first, count int
}

// part returns some lines of the list.
func (t tokenList) part(first, count int) tokenList {
	return tokenList{t.path, t.width, t.first + first, min(count, t.count-first)}
}

// seed describes the tokens to put into a store.
type seed struct {
	prefix string // of the tokens
	record store.Token
	count  int
	every  int    // every n-th token goes into the file
	path   string // the file
	said   func(done int)
}

// put creates tokens as grantd does, and stores them. grantd must have used the
// store before, so that it has a stamp and the key of the keyed check.
func (s seed) put(ctx context.Context, st store.Store) (tokenList, error) {
	ring := tokens.NewKeyring(s.prefix)
	keys, err := st.EnsureTokenKey(ctx, ring.Offer(time.Now()))
	if err != nil {
		return tokenList{}, err
	}
	if err := ring.Use(keys); err != nil {
		return tokenList{}, err
	}
	s.record.IssuedAt = time.Now().UTC().Truncate(time.Second)
	s.record.ExpiresAt = s.record.IssuedAt.Add(seedLife)
	if s.record.Position, err = newest(ctx, st); err != nil {
		return tokenList{}, err
	}
	file, err := os.Create(s.path)
	if err != nil {
		return tokenList{}, err
	}
	defer file.Close()
	out := bufio.NewWriter(file)
	if err := s.putAll(ctx, st, ring, out); err != nil {
		return tokenList{}, err
	}
	if err := out.Flush(); err != nil {
		return tokenList{}, err
	}
	return tokenList{path: s.path, width: len(ring.Make(s.record.ExpiresAt)), count: (s.count + s.every - 1) / s.every}, file.Close()
}

func (s seed) putAll(ctx context.Context, st store.Store, ring *tokens.Keyring, out *bufio.Writer) error {
	var next atomic.Int64
	var mu sync.Mutex // protects out
	g, ctx := errgroup.WithContext(ctx)
	for range seeders {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= s.count {
					return nil
				}
				token := ring.Make(s.record.ExpiresAt)
				if err := st.PutToken(ctx, tokens.DigestOf(token), s.record); err != nil {
					return fmt.Errorf("seed: %w", err)
				}
				if i%s.every == 0 {
					mu.Lock()
					_, _ = out.WriteString(token + "\n") // Flush returns its error
					mu.Unlock()
				}
				if (i+1)%500_000 == 0 {
					s.said(i + 1)
				}
			}
		})
	}
	return g.Wait()
}

// newest returns the position of the last entry of the feed, which a running
// grantd would put into its tokens.
func newest(ctx context.Context, st store.Store) (store.Position, error) {
	if _, err := st.FeedLineage(ctx); err != nil {
		return store.Position{}, err
	}
	var at store.Position
	for {
		entries, err := st.ReadFeed(ctx, at, 0)
		if err != nil || len(entries) == 0 {
			return at, err
		}
		at = entries[len(entries)-1].Position
	}
}

// one returns the first token of the list.
func (t tokenList) one() (string, error) {
	file, err := os.Open(t.path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	b := make([]byte, t.width)
	_, err = file.ReadAt(b, int64(t.first*(t.width+1)))
	return string(b), err
}
