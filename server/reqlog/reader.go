// Package reqlog finds the lines of one request in a log that grantd wrote, and says
// in plain words what happened to it. It reads a stream of any length in bounded
// memory, and changes nothing.
package reqlog

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"slices"
)

const (
	// longestLine is the longest line that is read. grantd writes none that is
	// longer than 16 KiB, apart from the stack of a bug; a journal adds to it.
	longestLine = 256 << 10
	// mostLines is how many lines of one request are kept. A caller can choose
	// the id of its request, and use it for all.
	mostLines = 100
)

// Line is a line of the log: its members as JSON values.
type Line map[string]json.RawMessage

// Text returns the member if it is a string, and "" otherwise.
func (l Line) Text(name string) string {
	var s string
	_ = json.Unmarshal(l[name], &s) // anything else has no text
	return s
}

// Found are the lines of one request.
type Found struct {
	Lines []Line
	// More is how many lines there are besides: only the first ones are kept.
	More int
	// Read is how many lines the log has, and Skipped how many of them were too
	// long. Plain is how many hold the id and are not JSON.
	Read, Skipped, Plain int
}

// Find returns the lines of the request with the id. The log has one JSON object in
// each line, perhaps wrapped by journalctl -o json or by Docker, or with a text before
// it. It may be compressed with gzip. Errors: those of the stream.
func Find(log io.Reader, id string) (Found, error) {
	var found Found
	stream := bufio.NewReaderSize(log, 64<<10)
	if magic, err := stream.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		unzipped, err := gzip.NewReader(stream)
		if err != nil {
			return found, err
		}
		stream = bufio.NewReaderSize(unzipped, 64<<10)
	}
	wanted := []byte(id)
	for {
		text, tooLong, err := readLine(stream)
		if len(text) > 0 || tooLong {
			found.Read++
		}
		switch {
		case tooLong:
			found.Skipped++
		case bytes.Contains(text, wanted):
			found.add(text, id)
		}
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, err
		}
	}
}

// readLine returns the next line without its end. A line that is too long is read and
// not returned. With the last line, the error is io.EOF.
func readLine(r *bufio.Reader) (text []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if !tooLong && len(text)+len(part) <= longestLine {
			text = append(text, part...)
		} else {
			text, tooLong = nil, true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimRight(text, "\r\n"), tooLong, err
		}
	}
}

// add adds the line if it is one of the request.
func (f *Found) add(text []byte, id string) {
	l := parse(text)
	if l == nil {
		f.Plain++
		return
	}
	if l.Text("request_id") != id && eventOf(l).Text("request_id") != id {
		return
	}
	if len(f.Lines) == mostLines {
		f.More++
		return
	}
	f.Lines = append(f.Lines, l)
}

// eventOf returns the event in a line about an event of the audit that could not be
// stored.
func eventOf(l Line) (event Line) {
	_ = json.Unmarshal(l["event"], &event) // other lines have none
	return event
}

// wrappers are the members in which journalctl and Docker put a line.
var wrappers = []string{"MESSAGE", "log"}

// parse returns the line of grantd in the text, or nil.
func parse(text []byte) Line {
	at := bytes.IndexByte(text, '{')
	if at < 0 {
		return nil
	}
	l := object(text[at:])
	if l == nil {
		return nil
	}
	for _, name := range wrappers {
		if inner := l.Text(name); inner != "" {
			return object([]byte(inner))
		}
	}
	return l
}

func object(text []byte) Line {
	var l Line
	if err := json.Unmarshal(bytes.TrimSpace(text), &l); err != nil || l == nil {
		return nil
	}
	return l
}

// Requests returns the lines that are access events; the others are events of the
// audit and warnings.
func (f Found) Requests() []Line {
	return slices.DeleteFunc(slices.Clone(f.Lines), func(l Line) bool { return l.Text("msg") != "request" })
}
