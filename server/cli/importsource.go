package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxHeld bounds an import that can be read only once, and so is held in
// memory: on disk the telephone numbers would outlive a crash.
const maxHeld = 256 << 20

// source is what is imported. It is read twice, each time from its beginning.
type source struct {
	name string // as messages have it
	open func() (io.ReadCloser, error)
}

// source answers the file with the name, or standard input for "-".
func (a *app) source(ctx context.Context, name string) (source, error) {
	if name == "-" {
		return held(ctx, "standard input", a.in)
	}
	about, err := os.Stat(name)
	if err != nil {
		return source{}, err
	}
	if !about.Mode().IsRegular() { // a pipe, such as the shell's <(…)
		file, err := os.Open(name)
		if err != nil {
			return source{}, err
		}
		defer file.Close()
		return held(ctx, name, file)
	}
	return source{name, func() (io.ReadCloser, error) { return os.Open(name) }}, nil
}

func held(ctx context.Context, name string, in io.Reader) (source, error) {
	input, err := readAll(ctx, in, maxHeld)
	if errors.Is(err, errTooMuch) {
		return source{}, fmt.Errorf("%s is larger than %d MiB and can be read only once: put it into a file and import that", name, maxHeld>>20)
	}
	return source{name, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(input)), nil }}, err
}
