package phonekeys

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
)

const (
	maxFile = 16 << 10 // bytes
	maxKeys = 100
	maxID   = 32 // characters of the name of a key
)

// Load reads the file with the keys. Each line is NAME:KEY, where NAME is 1 to 32
// characters of A-Z a-z 0-9 . _ - and KEY is the base64 of 32 bytes. Empty lines
// and lines that begin with # are ignored. Path "" has no keys. The error has
// every fault of the file, one a line, and never what is in it.
func Load(path string) (*Keys, error) {
	if path == "" {
		return &Keys{}, nil
	}
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	return parse(path, text)
}

// read returns what is in a file that only its owner can change, and that not
// everybody can read.
func read(path string) (_ string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	about, err := f.Stat()
	if err != nil {
		return "", err
	}
	if mode := about.Mode().Perm(); mode&(groupWrites|others) != 0 {
		return "", fmt.Errorf("%s has the mode %#o, so others can read or change it: chmod 600 it, or 640 if grantd reads it through its group", path, mode)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is larger than %d KiB", path, maxFile>>10)
	}
	return string(data), err
}

const (
	groupWrites fs.FileMode = 0o020
	others      fs.FileMode = 0o007
)

func parse(path, text string) (*Keys, error) {
	keys, lineOf, n := &Keys{}, map[string]int{}, 0
	var faults []error
	fault := func(problem string, args ...any) {
		faults = append(faults, fmt.Errorf("%s:%d: "+problem, append([]any{path, n}, args...)...))
	}
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, encoded, split := strings.Cut(line, ":")
		key, err := base64.StdEncoding.DecodeString(encoded)
		switch {
		case !split || !validID(id):
			fault("must be NAME:KEY, with a name of 1 to %d of A-Z a-z 0-9 . _ -", maxID)
		case err != nil || len(key) != keyBytes:
			fault("the key must be the base64 of %d bytes: openssl rand -base64 %d", keyBytes, keyBytes)
		case lineOf[id] > 0:
			fault("has the same name as line %d: give each key its own name", lineOf[id])
		case len(lineOf) == maxKeys:
			fault("is one key too many: %d at most", maxKeys)
		default:
			if err := keys.add(id, key); err != nil {
				fault("%w", err)
			}
		}
		lineOf[id] = max(n, lineOf[id])
	}
	if len(faults) == 0 && keys.first == "" {
		return nil, fmt.Errorf("%s holds no key: write one line NAME:KEY, for example with echo \"k1:$(openssl rand -base64 %d)\"", path, keyBytes)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return keys, nil
}

func validID(id string) bool {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	return id != "" && len(id) <= maxID && strings.Trim(id, alphabet) == ""
}

// File holds the keys of a file that can be read again while they are in use. Safe
// for concurrent use.
type File struct {
	path string
	keys atomic.Pointer[Keys]
}

// Open reads the keys of the file; path "" has none. Errors: those of Load.
func Open(path string) (*File, error) {
	f := &File{path: path}
	return f, f.Reload()
}

// Reload reads the file again. If it has faults, the keys stay as they were.
func (f *File) Reload() error {
	keys, err := Load(f.path)
	if err == nil {
		f.keys.Store(keys)
	}
	return err
}

// Configured reports whether there is a file.
func (f *File) Configured() bool { return f.path != "" }

// Obscure returns the name under which a limit counts the number. Without keys it
// is the number. With them it takes the first key to compute it, so that a copy of
// the store does not help to find the number by trying them all. Counters begin
// again when the first key changes.
func (f *File) Obscure(number string) string { return f.keys.Load().obscure(number) }
