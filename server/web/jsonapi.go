package web

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

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
	attributes, err := attributesOf(body, typ)
	if err != nil {
		return err
	}
	if wrong := decode(attributes, into); wrong != nil {
		if wrong.unknown && len(wrong.at) == 1 || len(wrong.at) == 0 {
			return errAttributes
		}
		return errOfOtherKind.At(wrong.at[0])
	}
	return nil
}

// isJSONAPI takes the media type without extensions, which would change what
// the document means.
func isJSONAPI(contentType string) bool {
	name, params, err := mime.ParseMediaType(contentType)
	return err == nil && name == mediaJSONAPI && params["ext"] == ""
}

// attributesOf answers the object with the attributes.
func attributesOf(body []byte, typ string) (jsontext.Value, error) {
	var doc struct {
		Data    jsontext.Value `json:"data"`
		JSONAPI jsontext.Value `json:"jsonapi"` // like meta, it says nothing here
		Meta    jsontext.Value `json:"meta"`
	}
	if wrong := decode(body, &doc); wrong != nil {
		return nil, errDocument.Because(wrong)
	}
	if doc.Data == nil {
		return nil, errDocument
	}
	var data struct {
		Type       any            `json:"type"`
		Attributes jsontext.Value `json:"attributes"`
	}
	if doc.Data.Kind() != '{' || decode(doc.Data, &data) != nil {
		return nil, errData
	}
	if data.Type != typ {
		return nil, fault.New(fault.InvalidRequest, `type must be "`+typ+`"`).At(pointerType)
	}
	if data.Attributes.Kind() != '{' {
		return nil, errAttributes
	}
	return data.Attributes, nil
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
