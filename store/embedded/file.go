package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/grantd/grantd/store"
)

const (
	fileName = "grantd.db"
	// lockWait is how long to wait for another process to let go of the file:
	// long enough for one that is just ending.
	lockWait = time.Second
)

// openFile opens the file in the folder, makes what is missing, and refuses
// a file that is not ours or is of a later version. Its errors are one line.
func openFile(folder string, log *slog.Logger) (*bbolt.DB, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	if info, err := os.Stat(folder); err == nil && info.Mode().Perm()&0o022 != 0 {
		log.Warn("the store's folder can be written by others", "path", folder, "mode", info.Mode().Perm().String())
	}
	path := filepath.Join(folder, fileName)
	db, err := openDB(path)
	if err != nil {
		return nil, explain(path, err)
	}
	if err := prepare(db); err != nil {
		_ = db.Close()
		return nil, explain(path, err)
	}
	// The file's own name has to survive a loss of power too.
	if err := errors.Join(os.Chmod(path, 0o600), syncFolder(folder)); err != nil {
		_ = db.Close()
		return nil, explain(path, err)
	}
	return db, nil
}

// openDB is bbolt.Open with our options.
func openDB(path string) (*bbolt.DB, error) {
	if err := checkSize(path); err != nil {
		return nil, err
	}
	return bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockWait,
		// Opening reads all tokens anyway, and a list of free pages is long
		// when a busy hour was dropped: not written with every commit.
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
		NoStatistics:   true,
	})
}

// checkSize finds a file that was cut short, such as half a copy. bbolt
// would crash the process over its missing pages.
func checkSize(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil // a new one
	}
	if err != nil {
		return err
	}
	db, err := bbolt.Open(path, 0, &bbolt.Options{ReadOnly: true, Timeout: lockWait})
	if err != nil {
		return err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > info.Size() {
			return fmt.Errorf("%w: %d of %d bytes", berrors.ErrInvalid, info.Size(), tx.Size())
		}
		return nil
	})
	return errors.Join(err, db.Close())
}

// explain turns an error of opening into one that says what to do.
func explain(path string, err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%w: %s: another grantd has it open: stop that one, or give this one another store.embedded.path",
			store.ErrUnavailable, path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return fmt.Errorf("%w: %s is damaged or not a database of grantd (%w): move it away, or put a backup in its place",
			store.ErrUnsuitable, path, err)
	case errors.Is(err, store.ErrNewerFormat), errors.Is(err, store.ErrUnsuitable):
		return fmt.Errorf("%s: %w", path, err)
	default:
		return fmt.Errorf("%w: %s: %w", store.ErrUnavailable, path, err)
	}
}

// prepare checks whose file it is, and makes the buckets that it lacks: all of
// a new one, and those that came later of one that an older grantd made.
func prepare(db *bbolt.DB) error {
	isNew, ours := true, false
	var version uint64
	var missing [][]byte
	err := db.View(func(tx *bbolt.Tx) error {
		if b := meta(tx); b != nil {
			ours, version = true, numberOf(b.Get(keyLayout))
		}
		missing = slices.DeleteFunc(slices.Clone(allBuckets), func(name []byte) bool { return tx.Bucket(name) != nil })
		return tx.ForEach(func([]byte, *bbolt.Bucket) error {
			isNew = false
			return nil
		})
	})
	switch {
	case err != nil:
		return err
	case version > layout:
		return fmt.Errorf("%w: written by a newer grantd (layout %d, this one knows %d)", store.ErrNewerFormat, version, layout)
	case version == layout && len(missing) == 0:
		return nil
	case version == layout:
		return db.Update(func(tx *bbolt.Tx) error { return createBuckets(tx, missing) })
	case ours || !isNew:
		return fmt.Errorf("%w: a bbolt database of another program", store.ErrUnsuitable)
	}
	return db.Update(func(tx *bbolt.Tx) error {
		if err := createBuckets(tx, missing); err != nil {
			return err
		}
		return errors.Join(
			meta(tx).Put(keyLayout, number(layout)),
			meta(tx).Put(keyLineage, []byte(rand.Text())),
		)
	})
}

func createBuckets(tx *bbolt.Tx, names [][]byte) error {
	for _, name := range names {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return nil
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
