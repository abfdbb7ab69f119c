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
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/grantd/grantd/store"
)

// lostMeta is what a file whose newest transaction may be lost has as the lineage
// that was last witnessed: no grantd can vouch for it.
const lostMeta = "damaged"

const (
	fileName = "grantd.db"
	// lockWait is how long to wait for another process to release the file: long
	// enough for a process that is about to end.
	lockWait = time.Second
	lockPoll = 50 * time.Millisecond
)

// openFile opens the file in the folder and makes what is missing. It refuses a
// file of another program or of a later version. Its errors are one line.
func openFile(folder string, log *slog.Logger) (*bbolt.DB, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	if info, err := os.Stat(folder); err == nil {
		logOpenFolder(log, folder, info)
	}
	path := filepath.Join(folder, fileName)
	db, lost, err := openDB(path)
	if err != nil {
		return nil, explain(path, err)
	}
	if err := prepare(db); err != nil {
		_ = db.Close()
		return nil, explain(path, err)
	}
	if lost {
		log.Error("the store's file is damaged: its newest changes may be lost, so it counts as restored from a backup; check the disk", "path", path)
		if err := db.Update(func(tx *bbolt.Tx) error { return meta(tx).Put(keyWitnessed, []byte(lostMeta)) }); err != nil {
			_ = db.Close()
			return nil, explain(path, err)
		}
	}
	// The file's name in the folder must survive a loss of power too.
	if err := errors.Join(os.Chmod(path, 0o600), syncFolder(folder)); err != nil {
		_ = db.Close()
		return nil, explain(path, err)
	}
	return db, nil
}

// logOpenFolder logs that others can write to the folder, so can put another file in
// the place of the store's.
func logOpenFolder(log *slog.Logger, path string, folder fs.FileInfo) {
	switch mode := folder.Mode(); reachOf(folder) {
	case reachFault:
		log.Warn("other users can write to the store's folder: run chmod 700 on it", "path", path, "mode", mode.String())
	case reachMount:
		log.Info("every user of this machine or container can write to the store's folder, and another user owns it: this is harmless if grantd is alone there, as on an emptyDir of Kubernetes; otherwise have its owner run chmod o-w on it, or choose another folder",
			"path", path, "mode", mode.String())
	}
}

// reach is who else can write to a folder.
type reach int

const (
	reachNone  reach = iota // nobody, or those whom its owner trusts
	reachMount              // everybody, in a folder of somebody else
	reachFault              // others, and this user can change that
)

// reachOf returns who else can write to the folder. The group of a folder of somebody
// else is a matter of who mounts it, such as a volume of Kubernetes, and all may
// trust group 0. In a sticky folder, others cannot replace files.
func reachOf(folder fs.FileInfo) reach {
	group, everybody := folder.Mode()&0o020 != 0, folder.Mode()&0o002 != 0
	st, ok := folder.Sys().(*syscall.Stat_t)
	switch {
	case ok && int(st.Uid) != os.Geteuid():
		if everybody && folder.Mode()&fs.ModeSticky == 0 {
			return reachMount
		}
		return reachNone
	case everybody, group && !(ok && st.Gid == 0):
		return reachFault
	}
	return reachNone
}

// openDB is bbolt.Open with our options, after a check of the pages. lost reports
// that the file may lack its newest transaction.
func openDB(path string) (db *bbolt.DB, lost bool, err error) {
	if lost, err = checkFile(path); err != nil {
		return nil, false, err
	}
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockWait,
		// Open reads all tokens anyway. The list of free pages is long after a
		// busy hour was dropped, so it is not written with every commit.
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
		NoStatistics:   true,
	})
	return db, lost, err
}

// checkFile returns an error for a file that is cut or damaged: bbolt would crash
// the process.
func checkFile(path string) (lost bool, err error) {
	unlock, err := lockFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // a new file
	}
	if err != nil {
		return false, err
	}
	defer unlock()
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	lost = checkPages(f, sizeOf(f), firstError(&err))
	return lost, err
}

// lockFile locks the file against other processes, as bbolt does. It waits for
// lockWait at most. Errors: berrors.ErrTimeout, fs.ErrNotExist.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(lockWait); ; time.Sleep(lockPoll) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(end) {
			_ = f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				err = berrors.ErrTimeout
			}
			return nil, err
		}
	}
}

// explain turns an error of openFile into one that says what to do.
func explain(path string, err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%w: %s: another grantd has it open: stop that one, or give this one another store.embedded.path",
			store.ErrUnavailable, path)
	case errors.Is(err, errPage), errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return fmt.Errorf("%w: %s is damaged or not a database of grantd (%w): run `grantd store restore` with a backup, or move the file away; `grantd store check` lists what is damaged",
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
