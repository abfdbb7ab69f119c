package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/grantd/grantd/store"
)

type stampRecord struct {
	Environment string `json:"environment"`
	Issuer      string `json:"issuer"`
	Format      int    `json:"format"`
}

type keyRecord struct {
	ID        uint8     `json:"id"`
	Key       []byte    `json:"key"`
	CreatedAt time.Time `json:"created_at"`
}

// Stamp writes the stamp into a file that has none, and otherwise compares it.
// Errors: store.ErrForeign, store.ErrNewerFormat.
func (s *Store) Stamp(ctx context.Context, stamp store.Stamp) error {
	record, err := json.Marshal(stampRecord(stamp))
	if err != nil {
		return err
	}
	return s.write(ctx, "stamp", func(b *batch) error {
		stored := meta(b.tx).Get(keyStamp)
		if stored == nil {
			return meta(b.tx).Put(keyStamp, record)
		}
		var was stampRecord
		if err := json.Unmarshal(stored, &was); err != nil || was.Format > stamp.Format {
			return refuse(store.ErrNewerFormat)
		}
		if was.Environment != stamp.Environment || was.Issuer != stamp.Issuer {
			return refuse(fmt.Errorf("%w: it belongs to environment %q and issuer %q: correct environment or issuer, or set store.embedded.path to another folder",
				store.ErrForeign, was.Environment, was.Issuer))
		}
		return errUnchanged
	})
}

// EnsureTokenKey stores candidate if there is no key, and returns all keys.
// Errors: store.ErrUnknownRecord.
func (s *Store) EnsureTokenKey(ctx context.Context, candidate store.TokenKey) ([]store.TokenKey, error) {
	records := []keyRecord{keyRecord(candidate)}
	encoded, err := json.Marshal(records)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, "ensure token key", func(b *batch) error {
		stored := meta(b.tx).Get(keyTokenKeys)
		if stored == nil {
			return meta(b.tx).Put(keyTokenKeys, encoded)
		}
		records = nil
		if err := json.Unmarshal(stored, &records); err != nil || len(records) == 0 {
			return refuse(fmt.Errorf("token keys: %w", store.ErrUnknownRecord))
		}
		return errUnchanged
	})
	if err != nil {
		return nil, err
	}
	keys := make([]store.TokenKey, len(records))
	for i, r := range records {
		keys[i] = store.TokenKey(r)
	}
	return keys, nil
}
