package backup

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"time"

	"github.com/grantd/grantd/store"
)

// FileVersion is the version of the form of a file.
const FileVersion = 1

// maxLine is the longest line of a file in bytes. An item of the audit, the longest
// one, has less than 1 MiB.
const maxLine = 8 << 20

// sectionFeed is the section of the entries of the feed in a file and in counts.
const sectionFeed store.Section = "feed"

// Header is the first line of a file.
type Header struct {
	Version     int            `json:"grantd_backup"`
	Environment string         `json:"environment"`
	Issuer      string         `json:"issuer"`
	Format      int            `json:"format"` // of the store, see store.Format
	MadeAt      time.Time      `json:"made_at"`
	MadeBy      string         `json:"made_by"` // version of grantd
	Position    store.Position `json:"position"`
}

// Summary says what a copy has.
type Summary struct {
	Environment string                `json:"environment"`
	Issuer      string                `json:"issuer"`
	MadeAt      time.Time             `json:"made_at"`
	Counts      map[store.Section]int `json:"counts"`
	Bytes       int64                 `json:"bytes"`
	SHA256      string                `json:"sha256"` // of the file without its last line
}

// line is a line of a file after the first. Form is set if the form of the item is
// JSON, and Raw otherwise.
type line struct {
	Section store.Section   `json:"s,omitempty"`
	Key     string          `json:"k,omitempty"`
	Form    json.RawMessage `json:"v,omitempty"`
	Raw     []byte          `json:"b,omitempty"`
	End     *end            `json:"end,omitempty"`
}

type end struct {
	Counts map[store.Section]int `json:"counts"`
	SHA256 string                `json:"sha256"`
}

// writer writes a file.
type writer struct {
	w      *bufio.Writer
	digest hash.Hash
	bytes  int64
	counts map[store.Section]int
}

func newWriter(w io.Writer, h Header) (*writer, error) {
	f := &writer{w: bufio.NewWriterSize(w, 64<<10), digest: sha256.New(), counts: map[store.Section]int{}}
	h.Version = FileVersion
	return f, f.line(h)
}

func (f *writer) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	f.digest.Write(b)
	f.bytes += int64(len(b))
	_, err = f.w.Write(b)
	return err
}

func (f *writer) item(i store.Item) error {
	l := line{Section: i.Section, Key: i.Key}
	if json.Valid(i.Form) {
		l.Form = i.Form
	} else {
		l.Raw = i.Form
	}
	f.counts[i.Section]++
	return f.line(l)
}

func (f *writer) entry(e store.Entry) error {
	form, err := store.MarshalEntry(e)
	if err != nil {
		return err
	}
	f.counts[sectionFeed]++
	return f.line(line{Section: sectionFeed, Form: form})
}

// finish writes the end.
func (f *writer) finish() (sum string, err error) {
	sum = hex.EncodeToString(f.digest.Sum(nil))
	return sum, errors.Join(f.line(line{End: &end{f.counts, sum}}), f.w.Flush())
}

// ErrFile means that a file is no backup, is cut, or was changed.
var ErrFile = errors.New("not a complete backup of grantd")

// Reader reads a file.
type Reader struct {
	Header Header

	r      *bufio.Scanner
	digest hash.Hash
	bytes  int64
	counts map[store.Section]int
	ended  bool
	sum    string
}

// NewReader reads the header. Errors: ErrFile, store.ErrNewerFormat.
func NewReader(r io.Reader) (*Reader, error) {
	f := &Reader{r: bufio.NewScanner(r), digest: sha256.New(), counts: map[store.Section]int{}}
	f.r.Buffer(make([]byte, 64<<10), maxLine)
	if !f.scan() || json.Unmarshal(f.r.Bytes(), &f.Header) != nil || f.Header.Version == 0 {
		return nil, fmt.Errorf("%w: its first line is no header", ErrFile)
	}
	switch h := f.Header; {
	case h.Version > FileVersion:
		return nil, fmt.Errorf("%w: version %d of the file, but this grantd reads %d: use the grantd that made it (%s)", store.ErrNewerFormat, h.Version, FileVersion, h.MadeBy)
	case h.Format > store.Format:
		return nil, fmt.Errorf("%w: format %d of the store, but this grantd knows %d: use the grantd that made it (%s)", store.ErrNewerFormat, h.Format, store.Format, h.MadeBy)
	}
	f.hash()
	return f, nil
}

func (f *Reader) scan() bool {
	ok := f.r.Scan()
	f.bytes += int64(len(f.r.Bytes())) + 1
	return ok
}

func (f *Reader) hash() {
	f.digest.Write(f.r.Bytes())
	f.digest.Write([]byte{'\n'})
}

// next returns the next item, or entry of the feed, whose item has sectionFeed. It
// returns io.EOF after the last one if the file is complete. Errors: ErrFile,
// store.ErrUnknownRecord.
func (f *Reader) next() (store.Item, error) {
	if f.ended {
		return store.Item{}, io.EOF
	}
	if !f.scan() {
		err := f.r.Err()
		if err == nil || errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("%w: it ends too early, or has a line that is too long", ErrFile)
		}
		return store.Item{}, err
	}
	var l line
	if err := json.Unmarshal(f.r.Bytes(), &l); err != nil {
		return store.Item{}, fmt.Errorf("%w: a line is not JSON", ErrFile)
	}
	if l.End != nil {
		return store.Item{}, f.finish(l.End)
	}
	f.hash()
	f.counts[l.Section]++
	i := store.Item{Section: l.Section, Key: l.Key, Form: l.Form}
	if l.Form == nil {
		i.Form = l.Raw
	}
	return i, nil
}

// finish compares the end with what was read.
func (f *Reader) finish(e *end) error {
	f.ended, f.sum = true, hex.EncodeToString(f.digest.Sum(nil))
	if e.SHA256 != f.sum || !maps.Equal(e.Counts, f.counts) {
		return fmt.Errorf("%w: its digest or its counts are wrong, so it was changed or damaged", ErrFile)
	}
	if f.scan() {
		return fmt.Errorf("%w: something follows its end", ErrFile)
	}
	if err := f.r.Err(); err != nil {
		return err
	}
	return io.EOF
}

func (f *Reader) summary() Summary {
	return Summary{
		Environment: f.Header.Environment, Issuer: f.Header.Issuer, MadeAt: f.Header.MadeAt,
		Counts: f.counts, Bytes: f.bytes - 1, SHA256: f.sum,
	}
}

// Verify reads a whole file and decodes every item. Errors: ErrFile,
// store.ErrNewerFormat, store.ErrUnknownRecord.
func Verify(r io.Reader) (Summary, error) {
	f, err := NewReader(r)
	if err != nil {
		return Summary{}, err
	}
	for {
		i, err := f.next()
		if errors.Is(err, io.EOF) {
			return f.summary(), nil
		}
		if err == nil && i.Section != sectionFeed {
			err = check(i)
		}
		if err != nil {
			return f.summary(), err
		}
	}
}

func check(i store.Item) error {
	if err := i.Check(); err != nil {
		return fmt.Errorf("%s %s: %w", i.Section, i.Name(), err)
	}
	return nil
}
