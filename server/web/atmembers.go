package web

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// withoutAtMembers returns the document without the members whose names begin with
// "@", in whatever object they are: they must be ignored (JSON:API, @-Members). The
// error says that the document cannot be read.
func withoutAtMembers(body []byte) ([]byte, *decodeError) {
	if !bytes.Contains(body, []byte(`"@`)) {
		return body, nil
	}
	if isDeep(body) {
		return nil, errDeep
	}
	var out bytes.Buffer
	d, e := jsontext.NewDecoder(bytes.NewReader(body)), jsontext.NewEncoder(&out)
	for first := true; first || d.StackDepth() > 0; first = false {
		kind, count := d.StackIndex(d.StackDepth())
		isName := kind == '{' && count%2 == 0 && d.PeekKind() == '"'
		t, err := d.ReadToken()
		if err == nil && isName && strings.HasPrefix(t.String(), "@") {
			err = d.SkipValue()
		} else if err == nil {
			err = e.WriteToken(t)
		}
		if err != nil {
			return nil, errNoJSON
		}
	}
	// What follows the value is kept, so that it is refused as without such members.
	return append(out.Bytes(), body[d.InputOffset():]...), nil
}
