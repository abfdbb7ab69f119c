package server

import (
	"cmp"
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
	// The whole file is read first: a damaged one changes nothing.
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

// MigrateStore copies everything from the store of one configuration to that of
// another one. With force, the target is emptied first. Errors: ErrServed,
// backup.ErrNotEmpty, backup.ErrDoubtful, backup.ErrDiffers, store.ErrUnavailable.
func MigrateStore(ctx context.Context, from, to config.Config, force bool, o backup.Options) (m backup.Migrated, err error) {
	if from.Environment != to.Environment || from.Issuer != to.Issuer {
		return m, fmt.Errorf("environment and issuer must be the same in both configurations (%q and %q, %q and %q)",
			from.Environment, to.Environment, from.Issuer, to.Issuer)
	}
	source, err := OpenStore(ctx, from, o, true)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := OpenStore(ctx, to, o, true)
	if err != nil {
		return m, fmt.Errorf("the target: %w", err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if same, err := sameRedis(ctx, from, to, source, target); same || err != nil {
		return m, cmp.Or(err, errors.New("both configurations name the same store"))
	}
	if err := backup.CheckSource(ctx, source, o); err != nil { // before anything is removed
		return m, err
	}
	if force {
		if err := target.Clear(ctx); err != nil {
			return m, err
		}
	}
	return backup.Migrate(ctx, source, target, o)
}

// sameRedis reports whether both stores have the same keys in one Redis, whatever the
// names by which the configurations reach it. The file of an embedded store cannot be
// opened twice.
func sameRedis(ctx context.Context, from, to config.Config, source, target store.Store) (bool, error) {
	if from.Store.Backend != backendRedis || to.Store.Backend != backendRedis ||
		from.Store.Redis.KeyPrefix != to.Store.Redis.KeyPrefix || from.Store.Redis.DB != to.Store.Redis.DB {
		return false, nil
	}
	a, err := source.FeedLineage(ctx)
	if err != nil {
		return false, err
	}
	b, err := target.FeedLineage(ctx)
	return a.Current == b.Current, err
}

// CheckStore checks the configured store, even one that grantd refuses to open. An
// embedded store must not be in use.
func CheckStore(ctx context.Context, cfg config.Config, o backup.Options) (*backup.Report, error) {
	if cfg.Store.Backend == backendRedis {
		s, err := OpenStore(ctx, cfg, o, false)
		if err != nil {
			return nil, err
		}
		r, err := backup.Check(ctx, s, o)
		return r, errors.Join(err, s.Close())
	}
	r := &backup.Report{Counts: map[store.Section]int{}, Findings: []store.Finding{}}
	there, err := embedded.InspectFile(cfg.Store.Embedded.Path, r.Add)
	switch {
	case err != nil:
		return nil, err
	case !there:
		return nil, fmt.Errorf("there is no store in %s", cfg.Store.Embedded.Path)
	case r.Problems > 0:
		return r, nil // its items cannot be read safely
	}
	s, err := OpenStore(ctx, cfg, o, false)
	if err != nil {
		r.Add(store.Finding{Section: "file", Problem: err.Error()})
		return r, nil
	}
	r, err = backup.Check(ctx, s, o)
	return r, errors.Join(err, s.Close())
}
