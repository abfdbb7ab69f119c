package importer

import (
	"encoding/json"
	"errors"
)

var errNoTruth = errors.New("neither true nor false")

// textList is a list of strings in a row of a table. Databases write a column with
// JSON as JSON, or as a string that holds JSON.
type textList []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *textList) UnmarshalJSON(b []byte) error {
	var inside string
	if json.Unmarshal(b, &inside) == nil {
		if b = []byte(inside); inside == "" {
			b = []byte("[]")
		}
	}
	var list []string
	err := json.Unmarshal(b, &list)
	*l = list
	return err
}

// truth is a boolean in a row of a table. Databases write 1 or t, too.
type truth bool

// UnmarshalJSON implements json.Unmarshaler. null is no truth value: it is absent.
func (t *truth) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "null":
		return nil
	case "true", "1", `"t"`, `"true"`, `"1"`:
		*t = true
		return nil
	case "false", "0", `"f"`, `"false"`, `"0"`:
		*t = false
		return nil
	}
	return errNoTruth
}
