package web

import (
	"mime"
	"regexp"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/grantd/grantd/server/apierr"
)

var (
	errNotJSONAPI  = apierr.New(apierr.UnsupportedMediaType, "the body must have Content-Type: application/vnd.api+json")
	errDocument    = apierr.New(apierr.InvalidRequest, `the body must be one JSON object such as {"data":{"type":"…","attributes":{…}}}, with each name once`)
	errData        = apierr.New(apierr.InvalidRequest, "data must be an object with type and attributes").At(pointerData)
	errClientID    = apierr.New(apierr.ClientGeneratedID, "grantd makes the ids of what it creates: send no id").At(pointerID)
	errAttributes  = apierr.New(apierr.InvalidRequest, "attributes must be an object, with each name once").At(pointerAttributes)
	errNoMember    = apierr.New(apierr.InvalidRequest, "JSON:API has no such member here")
	errNoAttribute = apierr.New(apierr.InvalidRequest, "this type has no attribute with this name")
	errQuery       = apierr.New(apierr.InvalidRequest, "this path takes no query parameters")
	errOtherType   = apierr.New(apierr.InvalidRequest, "this attribute is of another JSON type")
	errUnknownName = apierr.New(apierr.InvalidRequest, "this attribute is an object with an unknown name")
)

// ReadDocument reads a JSON:API document of the type, and its attributes into the
// struct that into points to. It ignores members that JSON:API allows and that say
// nothing here, such as links. It refuses attributes that the struct does not have:
// they could be restrictions that nobody would enforce. An attribute that is null
// counts as absent. It also reads the relationships that related names, and ignores
// others.
func ReadDocument(c *gin.Context, typ string, into any, related ...*Related) error {
	if err := RefuseQuery(c); err != nil {
		return err
	}
	if !isJSONAPI(c.GetHeader("Content-Type")) {
		return errNotJSONAPI
	}
	return decodeBody(c, MaxBody, func(body []byte) error { return decodeDocument(body, typ, into, related) })
}

// decodeDocument is ReadDocument for the body.
func decodeDocument(body []byte, typ string, into any, related []*Related) error {
	attributes, relationships, err := membersOf(body, typ)
	if err != nil {
		return err
	}
	if err := readRelated(relationships, related); err != nil {
		return err
	}
	if wrong := decode(attributes, into); wrong != nil {
		switch {
		case len(wrong.at) == 0:
			return errAttributes
		case wrong.unknown && len(wrong.at) == 1:
			return errNoAttribute.At(pointerTo(pointerAttributes, wrong.at[0]))
		case wrong.unknown:
			return errUnknownName.At(wrong.at[0])
		}
		return errOtherType.At(wrong.at[0])
	}
	return nil
}

// RefuseQuery returns an error if the URL has a query: where grantd has no parameters,
// an unknown one is refused (JSON:API, Query Parameters).
func RefuseQuery(c *gin.Context) error {
	if c.Request.URL.RawQuery != "" {
		return errQuery
	}
	return nil
}

// isJSONAPI reports whether the media type is JSON:API's without extensions, which
// would change what the document means.
func isJSONAPI(contentType string) bool {
	name, params, err := mime.ParseMediaType(contentType)
	return err == nil && name == mediaJSONAPI && params["ext"] == ""
}

// membersOf returns the object with the attributes, and what the document has as its
// relationships.
func membersOf(body []byte, typ string) (attributes, relationships jsontext.Value, err error) {
	body, wrong := withoutAtMembers(body)
	if wrong != nil {
		return nil, nil, errDocument.Because(wrong)
	}
	var doc struct {
		Data jsontext.Value `json:"data"`
		// Ignored: they say nothing here (JSON:API, Top Level).
		JSONAPI  jsontext.Value `json:"jsonapi"`
		Meta     jsontext.Value `json:"meta"`
		Links    jsontext.Value `json:"links"`
		Included jsontext.Value `json:"included"`
	}
	if wrong := decode(body, &doc); wrong != nil {
		return nil, nil, memberError(wrong, "", errDocument)
	}
	if doc.Data == nil {
		return nil, nil, errDocument
	}
	var data struct {
		Type          any            `json:"type"`
		ID            any            `json:"id"`
		Attributes    jsontext.Value `json:"attributes"`
		Relationships jsontext.Value `json:"relationships"`
		// Ignored (JSON:API, Resource Objects).
		LID   jsontext.Value `json:"lid"`
		Meta  jsontext.Value `json:"meta"`
		Links jsontext.Value `json:"links"`
	}
	if doc.Data.Kind() != '{' {
		return nil, nil, errData
	}
	if wrong := decode(doc.Data, &data); wrong != nil {
		return nil, nil, memberError(wrong, pointerData, errData)
	}
	switch {
	case data.ID != nil:
		return nil, nil, errClientID // JSON:API, Client-Generated IDs
	case data.Type != typ:
		return nil, nil, apierr.New(apierr.InvalidRequest, `type must be "`+typ+`"`).At(pointerType)
	case data.Attributes.Kind() != '{':
		return nil, nil, errAttributes
	}
	return data.Attributes, data.Relationships, nil
}

// memberError returns the error for an object of the format, at the pointer, that
// cannot be read: one that names its unknown member, or otherwise the given one.
func memberError(wrong *decodeError, pointer string, otherwise *apierr.Error) error {
	if wrong.unknown && len(wrong.at) == 1 {
		return errNoMember.At(pointerTo(pointer, wrong.at[0]))
	}
	return otherwise.Because(wrong)
}

// plainName matches the names that an error may repeat. A longer one may be a
// credential that was put in the wrong place, and digits may be a code or a
// telephone number.
var plainName = regexp.MustCompile(`^[A-Za-z][A-Za-z_-]{0,31}$`)

// pointerTo returns the pointer to the member with the name of the object at
// parent; the pointer to the object if the name must not be repeated.
func pointerTo(parent, name string) string {
	if !plainName.MatchString(name) {
		return parent
	}
	return parent + "/" + name
}
