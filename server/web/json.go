package web

import (
	"bytes"
	"errors"
	"mime"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"

	"github.com/grantd/grantd/server/apierr"
)

var (
	errJSON     = apierr.New(apierr.InvalidRequest, "the body must be one JSON object with known members of the right types, each name once")
	errJSONType = apierr.New(apierr.InvalidRequest, "the body must have Content-Type: application/json")
)

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
	if wrong := decode(body, v); wrong != nil {
		return errJSON.At(wrong.member()).Because(wrong)
	}
	return nil
}

// decode reads one JSON value into v: no name twice, or in other letters, or
// that v has not; only UTF-8, and nothing after it.
func decode(body []byte, v any) *decodeError {
	err := json.Unmarshal(body, v, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	wrong := &decodeError{what: "not JSON, or a name twice"}
	if semantic := (*json.SemanticError)(nil); errors.As(err, &semantic) {
		wrong.what, wrong.at = "another type", slices.Collect(semantic.JSONPointer.Tokens())
		if errors.Is(err, json.ErrUnknownName) {
			wrong.what, wrong.unknown = "an unknown name", true
		}
	}
	return wrong
}

// decodeError says why a body was not taken, without what it holds: the
// library's own errors quote it.
type decodeError struct {
	what    string
	at      []string // names and indexes from the outside in; nil: nothing was read
	unknown bool     // the last of them is not one of ours
}

func (e *decodeError) Error() string { return e.what }

// member answers the innermost name that is ours and has a value of another
// type; "" if that is not what is wrong.
func (e *decodeError) member() string {
	if e.unknown {
		return ""
	}
	for _, name := range slices.Backward(e.at) {
		if _, err := strconv.Atoi(name); err != nil { // not an index
			return name
		}
	}
	return ""
}
