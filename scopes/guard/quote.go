package guard

import (
	"encoding/json"
	"strings"
)

// unquote returns what a string means that was scanned before: a part of it, unless it
// has escapes.
func unquote(quoted string) (string, error) {
	if strings.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], nil
	}
	var text string
	err := json.Unmarshal([]byte(quoted), &text)
	return text, err
}

// appendQuoted appends text as a JSON string.
func appendQuoted(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || strings.IndexByte(`"\<>&`, c) >= 0 {
			quoted, _ := json.Marshal(text) // a string has no error
			return append(b, quoted...)
		}
	}
	b = append(append(b, '"'), text...)
	return append(b, '"')
}
