package web

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
)

// mediaJSONAPI is the media type of JSON:API documents.
const mediaJSONAPI = "application/vnd.api+json"

var typeJSONAPI = []string{mediaJSONAPI}

// Pointers into a document (RFC 6901).
const (
	pointerData       = "/data"
	pointerType       = "/data/type"
	pointerID         = "/data/id"
	pointerAttributes = "/data/attributes"
)

// resource is one resource of a document.
type resource struct {
	Type       string `json:"type"`
	Attributes any    `json:"attributes"`
}

// Documents responds with a JSON:API document of several resources of one type.
// next is the link to the next page; "": there is none.
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
	SendDocument(c, status, doc)
}

// SendDocument responds with doc as a JSON:API document.
func SendDocument(c *gin.Context, status int, doc any) {
	encoded, err := json.Marshal(doc)
	if err != nil {
		render(c, err)
		return
	}
	body := NewBody()
	body.B = append(body.B, encoded...)
	SendAs(c, typeJSONAPI, status, body)
}

// Document responds with a JSON:API document of one resource, which has no id.
func Document(c *gin.Context, status int, typ string, attributes any) {
	IdentifiedDocument(c, status, typ, "", attributes)
}

// IdentifiedDocument is Document for a resource with an id.
func IdentifiedDocument(c *gin.Context, status int, typ, id string, attributes any) {
	encoded, err := json.Marshal(attributes)
	if err != nil {
		render(c, err)
		return
	}
	body := NewBody()
	body.B = AppendString(append(body.B, `{"data":{"type":`...), typ)
	if id != "" {
		body.B = AppendString(append(body.B, `,"id":`...), id)
	}
	body.B = append(body.B, `,"attributes":`...)
	body.B = append(body.B, encoded...)
	body.B = append(body.B, `}}`...)
	SendAs(c, typeJSONAPI, status, body)
}

// errorObject is an error of JSON:API. Its code is that of OAuth if OAuth has
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
	Pointer   string `json:"pointer,omitempty"`
	Parameter string `json:"parameter,omitempty"` // of the query
}

type errorMeta struct {
	Scope string `json:"scope"`
}

func sendErrorDocument(c *gin.Context, w wire, f *apierr.Error) {
	e := errorObject{
		Status: strconv.Itoa(w.status), Code: w.name, Title: http.StatusText(w.status), Detail: f.Description,
	}
	switch {
	case strings.HasPrefix(f.Field, "/"):
		e.Source = &errorSource{Pointer: f.Field}
	case strings.HasPrefix(f.Field, "?"):
		e.Source = &errorSource{Parameter: f.Field[1:]}
	case f.Field != "": // an attribute
		e.Source = &errorSource{Pointer: pointerAttributes + "/" + f.Field}
	}
	if f.Scope != "" {
		e.Meta = &errorMeta{f.Scope}
	}
	body := NewBody()
	encoded, err := json.Marshal(map[string]any{"errors": []errorObject{e}})
	if err != nil { // cannot happen: it holds only strings
		encoded = []byte(`{"errors":[]}`)
	}
	body.B = append(body.B, encoded...)
	SendAs(c, typeJSONAPI, w.status, body)
}
