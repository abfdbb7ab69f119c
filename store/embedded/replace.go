package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// Held is the file of a folder, locked so that no process can open it.
type Held struct {
	folder string
	unlock func()
	// Exists reports whether there is a file.
	Exists bool
	// Last is the last position that its feed has used. Known is false if there is
	// no file, or if it is too damaged to be read.
	Last  store.Position
	Known bool
}

// Hold locks the file of the folder, whatever its state. Errors:
// store.ErrUnavailable if another process has it open.
func Hold(folder string) (*Held, error) {
	h := &Held{folder: folder, unlock: func() {}}
	path := filepath.Join(folder, fileName)
	unlock, err := lockFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return nil, fmt.Errorf("embedded store: %w", explain(path, err))
	}
	unlock()
	h.Exists = true
	h.Last, h.Known = lastPosition(path)
	if h.unlock, err = lockFile(path); err != nil {
		return nil, fmt.Errorf("embedded store: %w", explain(path, err))
	}
	return h, nil
}

// lastPosition returns the last position that the feed in the file has used. ok is
// false if the file is damaged.
func lastPosition(path string) (p store.Position, ok bool) {
	if lost, err := checkFile(path); lost || err != nil {
		return p, false
	}
	db, err := bbolt.Open(path, 0, &bbolt.Options{ReadOnly: true, Timeout: lockWait})
	if err != nil {
		return p, false
	}
	defer db.Close()
	_ = db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bucketFeed); b != nil {
			p, ok = store.Position{Seq: b.Sequence()}, true
		}
		return nil
	})
	return p, ok
}

// Replace puts the file of the folder fresh in the place of the held one, which it
// renames. It returns the new name; "" if there was no file.
func (h *Held) Replace(fresh string) (moved string, err error) {
	path := filepath.Join(h.folder, fileName)
	if h.Exists {
		moved = path + time.Now().UTC().Format(".replaced-20060102T150405.000")
		if err := os.Rename(path, moved); err != nil {
			return "", err
		}
	} else if _, err := os.Stat(path); err == nil {
		return "", fmt.Errorf("%w: %s: another grantd has made it meanwhile: stop that one, and start again", store.ErrUnavailable, path)
	}
	for _, name := range []string{fileName, witnessName} { // a crash in between makes an older store, which a restored one is
		if err := os.Rename(filepath.Join(fresh, name), filepath.Join(h.folder, name)); err != nil {
			return moved, err
		}
	}
	return moved, syncFolder(h.folder)
}

// Release ends the lock.
func (h *Held) Release() { h.unlock() }
