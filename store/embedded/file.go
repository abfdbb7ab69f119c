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
	// lockWait is how long to wait for another process to release the file: long
	// enough for a process that is about to end.
	lockWait = time.Second
)

// openFile opens the file in the folder and makes what is missing. It refuses a
// file of another program or of a later version. Its errors are one line.
func openFile(folder string, log *slog.Logger) (*bbolt.DB, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	if info, err := os.Stat(folder); err == nil && info.Mode().Perm()&0o022 != 0 {
		log.Warn("other users can write to the store's folder: run chmod 700 on it", "path", folder, "mode", info.Mode().Perm().String())
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
	// The file's name in the folder must survive a loss of power too.
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
		// Open reads all tokens anyway. The list of free pages is long after a
		// busy hour was dropped, so it is not written with every commit.
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
		NoStatistics:   true,
	})
}

// checkSize returns an error for a truncated file, such as half a copy. bbolt
// would crash the process when it reads a missing page.
func checkSize(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil // a new file
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

// explain turns an error of openFile into one that says what to do.
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

// prepare checks that the file belongs to grantd, and makes the buckets that it
// lacks: all of them in a new file, and the later ones in a file that an older
// grantd made.
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
		return fmt.Errorf("%w: written by a newer grantd (layout %d, this grantd knows %d): run that version", store.ErrNewerFormat, version, layout)
	case version == layout && len(missing) == 0:
		return nil
	case version == layout:
		return db.Update(func(tx *bbolt.Tx) error { return createBuckets(tx, missing) })
	case ours || !isNew:
		return fmt.Errorf("%w: it is a bbolt database of another program: set store.embedded.path to another folder", store.ErrUnsuitable)
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
