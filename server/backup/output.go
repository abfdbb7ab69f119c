package backup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile makes the file at path, with mode 0600, from what write writes. It
// replaces a file that is there only with force. The file is complete, on the disk
// and verified when it gets its name. Errors: fs.ErrExist, ErrFile.
func WriteFile(path string, force bool, write func(io.Writer) error) (sum Summary, err error) {
	if _, err := os.Lstat(path); err == nil && !force {
		return sum, fmt.Errorf("%s: %w", path, fs.ErrExist)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".partial-") // its mode is 0600
	if err != nil {
		return sum, err
	}
	defer func() { _ = os.Remove(f.Name()) }() // it has another name by then
	defer f.Close()
	if err := write(f); err != nil {
		return sum, err
	}
	if err := f.Sync(); err != nil {
		return sum, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return sum, err
	}
	if sum, err = Verify(f); err != nil {
		return sum, err
	}
	return sum, place(f.Name(), path, force)
}

// place gives the file its name.
func place(from, path string, force bool) error {
	if force {
		return errors.Join(os.Rename(from, path), syncFolder(filepath.Dir(path)))
	}
	err := os.Link(from, path) // unlike Rename, it replaces nothing
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(from, path) // a file system without links
	}
	return errors.Join(err, syncFolder(filepath.Dir(path)))
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
