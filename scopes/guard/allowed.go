package guard

import (
	"context"
	"slices"
)

// Allowed reports whether the token of the request may be used for the object: it is
// not restricted to resources, or the object is one of them. A type that the token does
// not name is refused as a whole. It returns false if the context has no token.
//
// The guard cannot know which objects a handler touches. So a resource server that is
// registered with --enforces resources must call Allowed for each of them, and leave
// out of lists what is not allowed.
func Allowed(ctx context.Context, typ, id string) bool {
	t, ok := FromContext(ctx)
	return ok && t.Allowed(typ, id)
}

// Allowed reports whether the token may be used for the object. See the function
// Allowed.
func (t *Token) Allowed(typ, id string) bool {
	if len(t.Resources) == 0 {
		return true
	}
	return slices.ContainsFunc(t.Resources, func(r Resource) bool {
		return r.Type == typ && slices.Contains(r.IDs, id)
	})
}
