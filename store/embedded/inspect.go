package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// sectionPages is the section of findings about the pages of the file.
const sectionPages store.Section = "pages"

// maxFindings bounds what is reported about pages: one damaged page may make
// hundreds of others look wrong.
const maxFindings = 20

// Inspect checks the pages that are on the disk and in use. Its time grows with the
// file: about a second for each gigabyte.
func (s *Store) Inspect(ctx context.Context, found func(store.Finding)) error {
	return s.view(ctx, "inspect", func(tx *bbolt.Tx) error { // so that no page in use changes
		return inspectFile(s.db.Path(), found)
	})
}

// InspectFile checks the pages of the file in the folder, which no process may have
// open. It works on files that Open refuses. ok is false if there is no file.
func InspectFile(folder string, found func(store.Finding)) (ok bool, err error) {
	path := filepath.Join(folder, fileName)
	unlock, err := lockFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return true, fmt.Errorf("embedded store: %w", explain(path, err))
	}
	defer unlock()
	return true, inspectFile(path, found)
}

func inspectFile(path string, found func(store.Finding)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	n := 0
	report := func(problem string) {
		if n++; n <= maxFindings {
			found(store.Finding{Section: sectionPages, Problem: problem})
		}
	}
	if checkPages(f, sizeOf(f), func(err error) { report(err.Error()) }) {
		report("a meta page is damaged: the file may lack its newest changes")
	}
	if n > maxFindings {
		found(store.Finding{Section: sectionPages, Problem: fmt.Sprintf("%d more", n-maxFindings)})
	}
	return nil
}
