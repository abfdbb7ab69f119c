package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/fault"
)

// mediaJSONAPI is the media type of JSON:API documents.
const mediaJSONAPI = "application/vnd.api+json"

var typeJSONAPI = []string{mediaJSONAPI}

// Pointers into a document (RFC 6901).
const (
	pointerData       = "/data"
	pointerType       = "/data/type"
	pointerAttributes = "/data/attributes"
)

var (
	errNotJSONAPI  = fault.New(fault.UnsupportedMediaType, "the body must have Content-Type: application/vnd.api+json")
	errDocument    = fault.New(fault.InvalidRequest, `the body must be one JSON object such as {"data":{"type":"…","attributes":{…}}}, with each name once`)
	errData        = fault.New(fault.InvalidRequest, "data must be an object with type and attributes, and nothing else").At(pointerData)
	errAttributes  = fault.New(fault.InvalidRequest, "attributes must be an object, with no other names than those of this type").At(pointerAttributes)
	errQuery       = fault.New(fault.InvalidRequest, "this path takes no query parameters")
	errOfOtherKind = fault.New(fault.InvalidRequest, "this attribute is of another JSON type")
)

// ReadDocument reads a JSON:API document of the type, and its attributes into
// the struct that into points to, strictly: a name that the struct has not
// would be a restriction that nobody enforces. An attribute that is null is
// one that is not there.
func ReadDocument(c *gin.Context, typ string, into any) error {
	if err := RefuseURLCredentials(c); err != nil {
		return err
	}
	if c.Request.URL.RawQuery != "" {
		return errQuery
	}
	if !isJSONAPI(c.GetHeader("Content-Type")) {
		return errNotJSONAPI
	}
	body, err := ReadBody(c, MaxBody)
	if err != nil {
		return err
	}
	if !utf8.Valid(body) { // the decoder would put U+FFFD in its place
		return errDocument
	}
	if err := noRepeats(body, camelCase); err != nil {
		return errDocument.Because(kindOf(err))
	}
	attributes, err := attributesOf(body, typ)
	if err != nil {
		return err
	}
	return readAttributes(attributes, into)
}

// kindOf keeps what a body holds out of the log: messages of encoding/json
// quote it.
func kindOf(err error) error {
	if errors.Is(err, errNotASingle) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return errors.New("not JSON")
}

// isJSONAPI takes the media type without extensions, which would change what
// the document means.
func isJSONAPI(contentType string) bool {
	name, params, err := mime.ParseMediaType(contentType)
	return err == nil && name == mediaJSONAPI && params["ext"] == ""
}

type jsonMembers = map[string]json.RawMessage

func attributesOf(body []byte, typ string) (jsonMembers, error) {
	var doc, data, attributes jsonMembers
	if json.Unmarshal(body, &doc) != nil || doc["data"] == nil {
		return nil, errDocument
	}
	for name := range doc { // the others that a document may have say nothing here
		if name != "data" && name != "jsonapi" && name != "meta" {
			return nil, errDocument
		}
	}
	if json.Unmarshal(doc["data"], &data) != nil || data == nil {
		return nil, errData
	}
	var given string
	if json.Unmarshal(data["type"], &given) != nil || given != typ {
		return nil, fault.New(fault.InvalidRequest, `type must be "`+typ+`"`).At(pointerType)
	}
	for name := range data {
		if name != "type" && name != "attributes" {
			return nil, errData
		}
	}
	if json.Unmarshal(data["attributes"], &attributes) != nil || attributes == nil {
		return nil, errAttributes
	}
	return attributes, nil
}

// readAttributes decodes each attribute into the field with its name as tag.
func readAttributes(attributes jsonMembers, into any) error {
	v := reflect.ValueOf(into).Elem()
	left := len(attributes)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("json")
		raw, ok := attributes[name]
		if !ok {
			continue
		}
		left--
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if d.Decode(v.Field(i).Addr().Interface()) != nil {
			return errOfOtherKind.At(name)
		}
	}
	if left > 0 {
		return errAttributes
	}
	return nil
}

// resource is one of a document with several.
type resource struct {
	Type       string `json:"type"`
	Attributes any    `json:"attributes"`
}

// Documents answers a JSON:API document with several resources of one type, and
// where its next page is; "": nowhere.
func Documents[A any](c *gin.Context, status int, typ string, attributes []A, next string) {
	doc := struct {
		Data  []resource        `json:"data"`
		Links map[string]string `json:"links,omitempty"`
	}{Data: []resource{}}
	for _, a := range attributes {
		doc.Data = append(doc.Data, resource{typ, a})
	}
	if next != "" {
		doc.Links = map[string]string{"next": next}
	}
	encoded, err := json.Marshal(doc)
	if err != nil {
		render(c, err)
		return
	}
	body := NewBody()
	body.B = append(body.B, encoded...)
	sendAs(c, typeJSONAPI, status, body)
}

// Document answers a JSON:API document with one resource.
func Document(c *gin.Context, status int, typ string, attributes any) {
	encoded, err := json.Marshal(attributes)
	if err != nil {
		render(c, err)
		return
	}
	body := NewBody()
	body.B = AppendString(append(body.B, `{"data":{"type":`...), typ)
	body.B = append(body.B, `,"attributes":`...)
	body.B = append(body.B, encoded...)
	body.B = append(body.B, `}}`...)
	sendAs(c, typeJSONAPI, status, body)
}

// errorObject is one error of JSON:API; code is that of OAuth where it has
// one.
type errorObject struct {
	Status string       `json:"status"`
	Code   string       `json:"code"`
	Title  string       `json:"title"`
	Detail string       `json:"detail,omitempty"`
	Source *errorSource `json:"source,omitempty"`
	Meta   *errorMeta   `json:"meta,omitempty"`
}

type errorSource struct {
	Pointer string `json:"pointer"`
}

type errorMeta struct {
	Scope string `json:"scope"`
}

func sendErrorDocument(c *gin.Context, w wire, f *fault.Error) {
	e := errorObject{
		Status: strconv.Itoa(w.status), Code: w.name, Title: http.StatusText(w.status), Detail: f.Description,
	}
	switch {
	case strings.HasPrefix(f.Field, "/"):
		e.Source = &errorSource{f.Field}
	case f.Field != "": // an attribute
		e.Source = &errorSource{pointerAttributes + "/" + f.Field}
	}
	if f.Scope != "" {
		e.Meta = &errorMeta{f.Scope}
	}
	body := NewBody()
	encoded, err := json.Marshal(map[string]any{"errors": []errorObject{e}})
	if err != nil { // of plain strings there is always a form
		encoded = []byte(`{"errors":[]}`)
	}
	body.B = append(body.B, encoded...)
	sendAs(c, typeJSONAPI, w.status, body)
}
