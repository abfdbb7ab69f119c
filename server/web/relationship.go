package web

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/grantd/grantd/server/apierr"
)

const pointerRelationships = "/data/relationships"

// Related is a to-one relationship that a document may have. ReadDocument sets ID.
type Related struct {
	Name  string
	Types []string // of the resource: one of them
	ID    *string  // nil: the document does not have the relationship, or it is empty
}

// Pointer returns the pointer to the relationship, for errors about it.
func (r *Related) Pointer() string { return pointerRelationships + "/" + r.Name }

var (
	errRelationships = apierr.New(apierr.InvalidRequest, "relationships must be an object, with each name once").At(pointerRelationships)
	errRelationship  = apierr.New(apierr.InvalidRequest, `a relationship must be an object such as {"data":{"type":"…","id":"…"}}`)
	errRelatedType   = apierr.New(apierr.InvalidRequest, "this relationship is to a resource of another type")
)

// readRelated reads the wanted relationships out of the member relationships. It
// ignores all others: they say nothing here.
func readRelated(relationships jsontext.Value, wanted []*Related) error {
	if len(wanted) == 0 || relationships == nil || relationships.Kind() == 'n' {
		return nil
	}
	var all map[string]jsontext.Value
	if wrong := decode(relationships, &all); wrong != nil {
		return errRelationships.Because(wrong)
	}
	for _, r := range wanted {
		if value, ok := all[r.Name]; ok {
			if err := r.read(value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Related) read(value jsontext.Value) error {
	var object struct {
		Data jsontext.Value `json:"data"`
		// Ignored (JSON:API, Relationships).
		Links jsontext.Value `json:"links"`
		Meta  jsontext.Value `json:"meta"`
	}
	bad := errRelationship.At(r.Pointer())
	if value.Kind() != '{' {
		return bad
	}
	if wrong := decode(value, &object); wrong != nil {
		return bad.Because(wrong)
	}
	if object.Data == nil {
		return bad
	}
	if object.Data.Kind() == 'n' { // JSON:API: an empty to-one relationship
		return nil
	}
	var identifier struct {
		Type *string        `json:"type"`
		ID   *string        `json:"id"`
		Meta jsontext.Value `json:"meta"`
	}
	if object.Data.Kind() != '{' {
		return bad
	}
	if wrong := decode(object.Data, &identifier); wrong != nil {
		return bad.Because(wrong)
	}
	if identifier.Type == nil || identifier.ID == nil {
		return bad
	}
	if !slices.Contains(r.Types, *identifier.Type) {
		return errRelatedType.At(r.Pointer() + "/data/type")
	}
	r.ID = identifier.ID
	return nil
}
