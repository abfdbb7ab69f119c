package web

import (
	"bytes"
	"errors"
	"mime"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/grantd/grantd/server/apierr"
)

var (
	errJSON     = apierr.New(apierr.InvalidRequest, "the body must be one JSON object with known members of the right types, each name once")
	errJSONType = apierr.New(apierr.InvalidRequest, "the body must have Content-Type: application/json")
)

// ReadJSON reads the JSON object of an admin request into v. It accepts only known
// members, each name once, and nothing after the object. If optional is true, an
// empty body leaves v unchanged.
func ReadJSON(c *gin.Context, v any, optional bool) error {
	return readJSON(c, v, optional, func([]byte) {})
}

// readJSON is ReadJSON. It calls also with a body that v has taken.
func readJSON(c *gin.Context, v any, optional bool, also func(body []byte)) error {
	if optional && c.Request.ContentLength == 0 {
		return nil
	}
	if name, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); err != nil || name != "application/json" {
		return errJSONType
	}
	return decodeBody(c, maxJSONLen, func(body []byte) error {
		if optional && len(bytes.TrimSpace(body)) == 0 {
			return nil
		}
		if jsontext.Value(body).Kind() != '{' { // null would leave v as it is
			return errJSON
		}
		if wrong := decode(body, v); wrong != nil {
			return errJSON.At(wrong.member()).Because(wrong)
		}
		also(body)
		return nil
	})
}

// ReadPatch is ReadJSON for a PATCH (RFC 7396). The members of v are pointers, nil
// for what the request leaves out. A member that is null becomes the zero value: the
// record gets what it would have without the member.
func ReadPatch(c *gin.Context, v any) error {
	var nulls []string
	err := readJSON(c, v, false, func(body []byte) {
		var members map[string]jsontext.Value
		if json.Unmarshal(body, &members) != nil {
			return
		}
		for name, value := range members {
			if value.Kind() == 'n' {
				nulls = append(nulls, name)
			}
		}
	})
	if err != nil {
		return err
	}
	record := reflect.ValueOf(v).Elem()
	for i := range record.NumField() {
		name, _, _ := strings.Cut(record.Type().Field(i).Tag.Get("json"), ",")
		if slices.Contains(nulls, name) {
			record.Field(i).Set(reflect.New(record.Type().Field(i).Type.Elem()))
		}
	}
	return nil
}

// decode reads one JSON value into v, strictly: it refuses repeated names, names
// that v does not have in exactly that spelling, text that is not UTF-8, and
// anything after the value. It is the only reader of JSON in this package, apart
// from parsePlainObject, which takes a shortcut for the hot paths.
func decode(body []byte, v any) *decodeError {
	return decodeWith(body, v, json.RejectUnknownMembers(true))
}

// maxDepth is how deep objects and arrays may be nested. Nothing that grantd reads is
// nearly as deep, and each level costs the decoder memory.
const maxDepth = 100

// isDeep reports whether objects and arrays are nested deeper than maxDepth. For what
// is not JSON it may return anything.
func isDeep(body []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

var (
	errDeep   = &decodeError{what: "nested too deep"}
	errNoJSON = &decodeError{what: "not JSON, or a name is repeated"}
)

func decodeWith(body []byte, v any, option json.Options) *decodeError {
	if isDeep(body) {
		return errDeep
	}
	err := json.Unmarshal(body, v, option)
	if err == nil {
		return nil
	}
	wrong := &decodeError{what: errNoJSON.what}
	if semantic := (*json.SemanticError)(nil); errors.As(err, &semantic) {
		wrong.what, wrong.at = "another type", slices.Collect(semantic.JSONPointer.Tokens())
		if errors.Is(err, json.ErrUnknownName) {
			wrong.what, wrong.unknown = "an unknown name", len(wrong.at) > 0
		}
	}
	return wrong
}

// decodeError says why a body was refused, without quoting it as the library's
// errors do.
type decodeError struct {
	what    string
	at      []string // names and indexes, the outermost first; nil: nothing was read
	unknown bool     // the last name is unknown
}

func (e *decodeError) Error() string { return e.what }

// memberForm is the form of names that a response may repeat. It has no digits, so
// that a credential in the place of a name is not repeated.
var memberForm = regexp.MustCompile(`^[a-z][a-z_]{0,23}$`)

// member returns the innermost name that is unknown or whose value has the wrong
// type; "" if something else is wrong, or if the unknown name may be a credential.
func (e *decodeError) member() string {
	if e.unknown {
		if name := e.at[len(e.at)-1]; memberForm.MatchString(name) {
			return name
		}
		return ""
	}
	for _, name := range slices.Backward(e.at) {
		if _, err := strconv.Atoi(name); err != nil { // not an index
			return name
		}
	}
	return ""
}
