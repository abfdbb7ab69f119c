package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/fault"
)

var (
	errObject     = fault.New(fault.InvalidRequest, "the body must be one JSON object whose values are strings, each name once")
	errJSON       = fault.New(fault.InvalidRequest, "the body must be one JSON object with known members of the right types, each name once")
	errJSONType   = fault.New(fault.InvalidRequest, "the body must have Content-Type: application/json")
	errNotASingle = errors.New("not a single JSON value without repeated names")
)

// maxJSONDepth bounds how deep admin bodies nest.
const maxJSONDepth = 20

// parseObject reads an object of strings, strictly: no repeated names, no
// other types, nothing after it.
func parseObject(body []byte) ([]param, error) {
	if !utf8.Valid(body) { // the decoder would put U+FFFD in its place
		return nil, errText
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errObject
	}
	var all []param
	seen := map[string]bool{}
	for d.More() {
		if len(all) >= MaxParams {
			return nil, errMany
		}
		name, err1 := stringToken(d)
		value, err2 := stringToken(d)
		if err1 != nil || err2 != nil || seen[name] {
			return nil, errObject
		}
		seen[name] = true
		all = append(all, param{name, value})
	}
	if _, err := d.Token(); err != nil {
		return nil, errObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errObject
	}
	return all, nil
}

func stringToken(d *json.Decoder) (string, error) {
	t, err := d.Token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", errObject
	}
	return s, nil
}

// ReadJSON reads the JSON object of an admin request into v: known members
// only, each name once, nothing after it. An empty body leaves v as it is
// when optional is true.
func ReadJSON(c *gin.Context, v any, optional bool) error {
	if optional && c.Request.ContentLength == 0 {
		return nil
	}
	if name, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); err != nil || name != "application/json" {
		return errJSONType
	}
	body, err := ReadBody(c, maxJSONLen)
	if err != nil {
		return err
	}
	if optional && len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if err := noRepeats(body); err != nil {
		return errJSON.Because(err)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			// The path has the names of embedded structs before the member's.
			return errJSON.At(wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:]).Because(err)
		}
		return errJSON.Because(err)
	}
	return nil
}

// noRepeats walks one JSON value and refuses names that stand twice.
func noRepeats(body []byte) error {
	d := json.NewDecoder(bytes.NewReader(body))
	if err := walk(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errNotASingle
	}
	return nil
}

func walk(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	if depth >= maxJSONDepth {
		return errNotASingle
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			name, err := stringToken(d)
			// encoding/json matches names without case, and by Unicode's
			// folding: two spellings would be one member.
			if err != nil || seen[name] || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
				return errNotASingle
			}
			seen[name] = true
		}
		if err := walk(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
