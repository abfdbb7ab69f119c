package web

import (
	"mime"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/grantd/grantd/server/apierr"
)

var (
	errNotJSONAPI  = apierr.New(apierr.UnsupportedMediaType, "the body must have Content-Type: application/vnd.api+json")
	errDocument    = apierr.New(apierr.InvalidRequest, `the body must be one JSON object such as {"data":{"type":"…","attributes":{…}}}, with each name once`)
	errData        = apierr.New(apierr.InvalidRequest, "data must be an object with type and attributes, and nothing else").At(pointerData)
	errAttributes  = apierr.New(apierr.InvalidRequest, "attributes must be an object, with no other names than those of this type").At(pointerAttributes)
	errQuery       = apierr.New(apierr.InvalidRequest, "this path takes no query parameters")
	errOtherType   = apierr.New(apierr.InvalidRequest, "this attribute is of another JSON type")
	errUnknownName = apierr.New(apierr.InvalidRequest, "this attribute is an object with an unknown name")
)

// ReadDocument reads a JSON:API document of the type, and its attributes into the
// struct that into points to. It refuses names that the struct does not have:
// they could be restrictions that nobody would enforce. An attribute that is null
// counts as absent.
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
	return decodeBody(c, MaxBody, func(body []byte) error { return decodeDocument(body, typ, into) })
}

// decodeDocument is ReadDocument for the body.
func decodeDocument(body []byte, typ string, into any) error {
	attributes, err := attributesOf(body, typ)
	if err != nil {
		return err
	}
	if wrong := decode(attributes, into); wrong != nil {
		switch {
		case wrong.unknown && len(wrong.at) == 1 || len(wrong.at) == 0:
			return errAttributes
		case wrong.unknown:
			return errUnknownName.At(wrong.at[0])
		}
		return errOtherType.At(wrong.at[0])
	}
	return nil
}

// isJSONAPI reports whether the media type is JSON:API's without extensions, which
// would change what the document means.
func isJSONAPI(contentType string) bool {
	name, params, err := mime.ParseMediaType(contentType)
	return err == nil && name == mediaJSONAPI && params["ext"] == ""
}

// attributesOf returns the object with the attributes.
func attributesOf(body []byte, typ string) (jsontext.Value, error) {
	var doc struct {
		Data    jsontext.Value `json:"data"`
		JSONAPI jsontext.Value `json:"jsonapi"` // ignored, like meta
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
		return nil, apierr.New(apierr.InvalidRequest, `type must be "`+typ+`"`).At(pointerType)
	}
	if data.Attributes.Kind() != '{' {
		return nil, errAttributes
	}
	return data.Attributes, nil
}
