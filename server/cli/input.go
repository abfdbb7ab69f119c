package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/grantd/grantd/server/cli/importer"
)

// maxStream limits, in bytes, an import that can be read only once and is
// therefore held in memory: a copy on disk would leave telephone numbers there
// after a crash.
const maxStream = 256 << 20

// openSource returns the file with the name, or standard input for "-".
func (a *app) openSource(ctx context.Context, name string) (importer.Source, error) {
	if name == "-" {
		return bufferSource(ctx, "standard input", a.in)
	}
	about, err := os.Stat(name)
	if err != nil {
		return importer.Source{}, err
	}
	if !about.Mode().IsRegular() { // a pipe, such as the shell's <(…)
		file, err := os.Open(name)
		if err != nil {
			return importer.Source{}, err
		}
		defer file.Close()
		return bufferSource(ctx, name, file)
	}
	return importer.Source{Name: name, Open: func() (io.ReadCloser, error) {
		file, err := os.Open(name)
		if err != nil {
			// It was there, so the argument was right: not an fs.ErrNotExist anymore.
			return nil, errors.New(err.Error())
		}
		return file, nil
	}}, nil
}

func bufferSource(ctx context.Context, name string, in io.Reader) (importer.Source, error) {
	input, err := readAll(ctx, in, maxStream)
	if errors.Is(err, errTooMuch) {
		return importer.Source{}, fmt.Errorf("%s is larger than %d MiB and can be read only once: save it to a file and import the file", name, maxStream>>20)
	}
	return importer.Source{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(input)), nil }}, err
}

// errTooMuch reports input beyond the limit of readAll.
var errTooMuch = errors.New("too much input")

// readAll reads up to limit bytes. It returns early when ctx ends, because a
// terminal may never reach the end of its input. Errors: errTooMuch.
func readAll(ctx context.Context, in io.Reader, limit int64) ([]byte, error) {
	type result struct {
		input []byte
		err   error
	}
	done := make(chan result, 1)
	go func() {
		b, err := io.ReadAll(io.LimitReader(in, limit+1))
		done <- result{b, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		if r.err == nil && int64(len(r.input)) > limit {
			r.err = errTooMuch
		}
		return r.input, r.err
	}
}
