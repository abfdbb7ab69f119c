package importer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/grantd/grantd/server/imports"
)

const (
	maxLine = 16 << 10 // bytes of one line
	// maxBatch is the size of one request in bytes; the server accepts 1 MiB.
	maxBatch = 900 << 10
)

var errLongLine = fmt.Errorf("is longer than %d KiB", maxLine>>10)

// item is one line of an import that is not blank.
type item[T any] struct {
	line   int
	record T
	notes  []string
	size   int   // of record as JSON, in bytes
	fault  error // what is wrong with the line, or nil
}

// lines reads the items of an import.
type lines[T any] struct {
	kind Kind[T]
	in   *bufio.Reader
	line int
	seen map[string]int // the line of each id
}

func newLines[T any](kind Kind[T], in io.Reader) *lines[T] {
	l := &lines[T]{kind: kind, in: bufio.NewReaderSize(in, maxLine+len("\r\n")), seen: map[string]int{}}
	const bom = "\xef\xbb\xbf"
	if start, _ := l.in.Peek(len(bom)); string(start) == bom {
		_, _ = l.in.Discard(len(bom))
	}
	return l
}

// next returns io.EOF after the last item.
func (l *lines[T]) next() (item[T], error) {
	for {
		line, err := l.readLine()
		switch {
		case errors.Is(err, errLongLine):
			return item[T]{line: l.line, fault: err}, nil
		case err != nil:
			return item[T]{}, err
		case len(line) > 0:
			return l.parseItem(line), nil
		}
	}
}

// readLine returns the next line without surrounding white space. The last one
// need not end with a line break.
func (l *lines[T]) readLine() ([]byte, error) {
	l.line++
	line, err := l.in.ReadSlice('\n')
	long := errors.Is(err, bufio.ErrBufferFull)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = l.in.ReadSlice('\n')
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(line) == 0 {
		return nil, err
	}
	line = bytes.TrimRight(line, "\r\n")
	if long || len(line) > maxLine {
		return nil, errLongLine
	}
	return bytes.TrimSpace(line), nil
}

func (l *lines[T]) parseItem(line []byte) item[T] {
	it := item[T]{line: l.line}
	if it.record, it.notes, it.fault = l.kind.Parse(line); it.fault != nil {
		return it
	}
	id := l.kind.ID(it.record)
	if first, twice := l.seen[id]; twice {
		it.fault = fmt.Errorf("is the same as on line %d (%s)", first, l.kind.Key)
		return it
	}
	l.seen[id] = l.line
	sent, err := json.Marshal(it.record)
	it.size, it.fault = len(sent)+1, err
	return it
}

// forEachBatch calls send with all items in their order, in batches that fit
// into one request.
func (l *lines[T]) forEachBatch(send func([]item[T]) error) error {
	var batch []item[T]
	size := 0
	for {
		it, err := l.next()
		if end := errors.Is(err, io.EOF); end && len(batch) > 0 {
			return send(batch)
		} else if end {
			return nil
		}
		if err != nil {
			return err
		}
		if len(batch) == imports.Max || size+it.size > maxBatch {
			if err := send(batch); err != nil {
				return err
			}
			batch, size = batch[:0], 0
		}
		batch, size = append(batch, it), size+it.size
	}
}
