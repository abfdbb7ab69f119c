package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// witnessName is a file beside grantd.db that says how far its feed had come. If
// an older copy of grantd.db is put in its place, the two differ.
const witnessName = "grantd.witness"

// witness writes that file.
type witness struct {
	file    *os.File
	lineage string
	log     *slog.Logger
	failed  bool
}

// aheadOfCopy is how far the feed of a copy jumps ahead: the lost file may have used
// positions that nobody knows.
const aheadOfCopy = 1 << 32

// witnessForm is fixed in length, so that a write replaces the whole file.
const witnessForm = "%s %020d\n"

// openWitness compares grantd.db with the file beside it. If grantd.db is older,
// or another one, it becomes a new incarnation, which nobody has vouched for, and
// its feed goes on after the position that the other one had.
func openWitness(folder string, db *bbolt.DB, log *slog.Logger) (*witness, error) {
	path := filepath.Join(folder, witnessName)
	var lineage, witnessed string
	var seq uint64
	var had bool // a file beside it
	err := db.View(func(tx *bbolt.Tx) error {
		lineage, witnessed, seq = string(meta(tx).Get(keyLineage)), string(meta(tx).Get(keyWitnessed)), feed(tx).Sequence()
		had = meta(tx).Get(keyHasWitness) != nil
		return nil
	})
	if err != nil {
		return nil, err
	}
	before, beforeSeq, err := readWitness(path)
	if err == nil && witnessed == "" && before != lineage {
		return nil, fmt.Errorf("%w: %s is new or another one, but %s says that there was a store: put that one back, or remove %s to begin without it",
			store.ErrUnsuitable, db.Path(), path, path)
	}
	older := err == nil && (before != lineage || beforeSeq > seq)
	if err != nil && had {
		older = true // a copy without the file, or what was left of it
		log.Error("the file beside the store is missing or cannot be read: nobody knows whether the store is an older copy", "path", path, "error", err)
	}
	if older && witnessed != "" {
		lineage, seq = rand.Text(), max(seq, beforeSeq)+aheadOfCopy
		log.Error("the store is older than it was, or another one: it was restored or replaced", "path", db.Path())
		err = db.Update(func(tx *bbolt.Tx) error {
			return errors.Join(meta(tx).Put(keyLineage, []byte(lineage)), feed(tx).SetSequence(seq))
		})
		if err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	w := &witness{file: file, lineage: lineage, log: log}
	w.record(seq)
	if err = errors.Join(file.Sync(), syncFolder(folder)); err == nil && !had {
		err = db.Update(func(tx *bbolt.Tx) error { return meta(tx).Put(keyHasWitness, []byte{1}) })
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return w, nil
}

func readWitness(path string) (lineage string, seq uint64, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", 0, err
	}
	_, err = fmt.Sscanf(string(b), "%s %d\n", &lineage, &seq)
	return lineage, seq, err
}

// record says that the feed has come to the position. It is not synced: after a
// loss of power the file may be behind grantd.db, never ahead of it.
func (w *witness) record(seq uint64) {
	_, err := w.file.WriteAt(fmt.Appendf(nil, witnessForm, w.lineage, seq), 0)
	if err != nil && !w.failed {
		w.log.Warn("the file beside the store cannot be written: it cannot tell whether the store is replaced by an older copy", "path", w.file.Name(), "error", err)
	}
	w.failed = err != nil
}
