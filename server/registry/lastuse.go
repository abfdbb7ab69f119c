package registry

import (
	"time"

	"github.com/grantd/grantd/store"
)

// LastUse is when, from where and how often a credential was used, as lists
// show it; absent values are null. It is a few seconds behind.
type LastUse struct {
	LastUsedAt *time.Time `json:"last_used_at"`
	LastUsedIP *string    `json:"last_used_ip"`
	UseCount   int64      `json:"use_count"`
}

// LastUseOf answers that of the credential with the id.
func LastUseOf(uses map[string]store.Use, id string) (l LastUse) {
	u, ok := uses[id]
	if !ok {
		return l
	}
	at := u.LastAt.UTC().Truncate(time.Second)
	l.LastUsedAt, l.UseCount = &at, u.Count
	if u.LastIP != "" {
		l.LastUsedIP = &u.LastIP
	}
	return l
}
