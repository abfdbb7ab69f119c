package lastuse

import (
	"time"

	"github.com/grantd/grantd/store"
)

// View shows when, from where and how often a credential was used. Absent
// values are null. It is a few seconds behind.
type View struct {
	LastUsedAt *time.Time `json:"last_used_at"`
	LastUsedIP *string    `json:"last_used_ip"`
	UseCount   int64      `json:"use_count"`
}

// ViewOf returns the view of the credential with this id.
func ViewOf(uses map[string]store.Use, id string) View { return ViewOfUse(uses[id]) }

// ViewOfUse returns the view of a use; a Count of 0: there was none.
func ViewOfUse(u store.Use) (v View) {
	if u.Count == 0 {
		return v
	}
	at := u.LastAt.UTC().Truncate(time.Second)
	v.LastUsedAt, v.UseCount = &at, u.Count
	if u.LastIP != "" {
		v.LastUsedIP = &u.LastIP
	}
	return v
}
