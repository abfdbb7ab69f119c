package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/backup"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
)

// farAhead is how far the feed of a restored file jumps if nobody knows which
// positions were used after its backup was made.
const farAhead = 1 << 32

// ErrServed means that a grantd serves requests with the store.
var ErrServed = errors.New("a grantd is serving with this store: stop it first, on every machine")

// servedWait is how long to wait until a store that was served until just now no
// longer counts as served.
const servedWait = 6 * time.Second

// OpenStore opens the configured store for a command that needs no server. If alone
// is true, no grantd may serve with it. Errors: ErrServed, store.ErrUnavailable.
func OpenStore(ctx context.Context, cfg config.Config, o backup.Options, alone bool) (store.Store, error) {
	s, err := openStore(ctx, cfg, storeOptions{now: o.Now, log: o.Log})
	if err == nil && alone {
		if err = awaitNotServed(ctx, s); err != nil {
			err = errors.Join(err, s.Close())
		}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func awaitNotServed(ctx context.Context, s store.Store) error {
	const poll = 250 * time.Millisecond
	for end := time.Now().Add(servedWait); ; {
		serving, err := s.Serving(ctx)
		if err != nil || !serving {
			return err
		}
		if time.Now().After(end) {
			return ErrServed
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Restored is the result of RestoreStore.
type Restored struct {
	backup.Summary
	Store string `json:"store"`           // embedded or redis
	Moved string `json:"moved,omitempty"` // new path of the file that was replaced
}

// RestoreStore fills the configured store from the backup at path. A store that is
// not empty is replaced only with force: the file of an embedded store is renamed,
// what is in Redis is removed. Errors: ErrServed, backup.ErrFile,
// backup.ErrNotEmpty, store.ErrUnavailable.
func RestoreStore(ctx context.Context, cfg config.Config, path string, force bool, o backup.Options) (r Restored, err error) {
	f, err := os.Open(path)
	if err != nil {
		return r, err
	}
	defer f.Close()
	// The whole file is read first: nothing is changed for one that is damaged.
	if r.Summary, err = backup.Verify(f); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	if r.Environment != cfg.Environment {
		return r, fmt.Errorf("%s is of environment %q, but the configuration has %q", path, r.Environment, cfg.Environment)
	}
	if _, err = f.Seek(0, 0); err != nil {
		return r, err
	}
	r.Store = cfg.Store.Backend
	if cfg.Store.Backend == backendRedis {
		r.Summary, err = restoreRedis(ctx, cfg, f, force, o)
	} else {
		r.Summary, r.Moved, err = restoreEmbedded(ctx, cfg, f, force, o)
	}
	return r, err
}

func restoreRedis(ctx context.Context, cfg config.Config, f *os.File, force bool, o backup.Options) (sum backup.Summary, err error) {
	s, err := OpenStore(ctx, cfg, o, true)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if force {
		err = s.Clear(ctx)
	} else {
		err = backup.CheckEmpty(ctx, s)
	}
	if err != nil {
		return sum, err
	}
	return backup.Restore(ctx, s, f, o)
}

// restoreEmbedded fills a new file, which replaces the old one when it is complete.
func restoreEmbedded(ctx context.Context, cfg config.Config, f *os.File, force bool, o backup.Options) (sum backup.Summary, moved string, err error) {
	folder := cfg.Store.Embedded.Path
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return sum, "", err
	}
	held, err := embedded.Hold(folder)
	if err != nil {
		return sum, "", err
	}
	defer held.Release()
	if held.Exists && !force {
		return sum, "", fmt.Errorf("%w: there is a file in %s", backup.ErrNotEmpty, folder)
	}
	fresh, err := os.MkdirTemp(folder, "restore-")
	if err != nil {
		return sum, "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(fresh)) }()
	if sum, err = fillFile(ctx, cfg, fresh, held, f, o); err != nil {
		return sum, "", err
	}
	moved, err = held.Replace(fresh)
	return sum, moved, err
}

// fillFile restores into a new file in the folder fresh. No position of its feed was
// used by the file that it replaces.
func fillFile(ctx context.Context, cfg config.Config, fresh string, old *embedded.Held, f *os.File, o backup.Options) (sum backup.Summary, err error) {
	s, err := openEmbedded(cfg, fresh, storeOptions{now: o.Now, log: o.Log})
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r, err := backup.NewReader(f)
	if err != nil {
		return sum, err
	}
	last := old.Last
	if at := r.Header.Position; at.Time == 0 && at.After(last) {
		last = at
	}
	if !old.Known {
		last.Seq += farAhead
	}
	if err := s.AdvanceFeed(ctx, last); err != nil {
		return sum, err
	}
	if _, err := f.Seek(0, 0); err != nil {
		return sum, err
	}
	return backup.Restore(ctx, s, f, o)
}
