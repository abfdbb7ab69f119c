package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

var errNoObject = errors.New("must be one JSON object on one line")

// checkLine returns what is wrong with a line that is not JSON.
func checkLine(line []byte) error {
	if !utf8.Valid(line) { // the decoder would replace the bytes by U+FFFD
		return errors.New("must be UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(line, &whole); err != nil {
		return fmt.Errorf("%w: %w", errNoObject, err) // contains at most one character of the line
	}
	return nil
}

// readObject reads a JSON object into the variables of its members, and refuses all
// others. null counts as absent; members that are needed must be present and not
// empty.
func readObject(valid []byte, members map[string]any, needed ...string) error {
	return readMembers(valid, members, unknownMember, needed...)
}

// readRow is readObject for a row of a table, whose other columns do not matter.
func readRow(valid []byte, members map[string]any, needed ...string) error {
	return readMembers(valid, members, func(string) error { return nil }, needed...)
}

func readMembers(valid []byte, members map[string]any, unknown func(name string) error, needed ...string) error {
	d := json.NewDecoder(bytes.NewReader(valid))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errNoObject
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, _ := t.(string)
		if err != nil {
			return errNoObject
		}
		to, known := members[name]
		if !known {
			if err := unknown(name); err != nil {
				return err
			}
			to = &json.RawMessage{}
		}
		if known && seen[name] {
			return fmt.Errorf("is repeated (%s)", name)
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return errNoObject
		}
		if json.Unmarshal(value, to) != nil {
			return fmt.Errorf("must be %s (%s)", typeOf(to), name)
		}
	}
	for _, name := range needed {
		if *members[name].(*string) == "" {
			return fmt.Errorf("is missing (%s)", name)
		}
	}
	return nil
}

// typeOf returns what a variable of readMembers accepts.
func typeOf(to any) string {
	switch to.(type) {
	case *[]json.RawMessage:
		return "a list"
	case **[]string, *[]string, *textList:
		return "a list of strings"
	case **int64, *int64:
		return "a whole number"
	case *truth:
		return "true or false"
	}
	return "a string"
}

// unknownMember names the member, unless its name may be a value that was put
// in the wrong place.
func unknownMember(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyz_"
	if name == "" || len(name) > 40 || strings.Trim(strings.ToLower(name), letters) != "" {
		return errors.New("has an unknown member")
	}
	return fmt.Errorf("has an unknown member (%s)", name)
}
