package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

type keyRecord struct {
	ID        uint8     `json:"id"`
	Key       []byte    `json:"key"`
	CreatedAt time.Time `json:"created_at"`
}

// Stamp writes the stamp into a file that has none, and otherwise compares it.
// Errors: store.ErrForeign, store.ErrNewerFormat.
func (s *Store) Stamp(ctx context.Context, stamp store.Stamp) error {
	record, err := store.MarshalStamp(stamp)
	if err != nil {
		return err
	}
	return s.write(ctx, "stamp", func(b *batch) error {
		stored := meta(b.tx).Get(keyStamp)
		if stored == nil {
			return meta(b.tx).Put(keyStamp, record)
		}
		was, err := store.UnmarshalStamp(stored)
		switch {
		case err != nil:
			return refuse(store.ErrNewerFormat)
		case was.Format > stamp.Format:
			return refuse(fmt.Errorf("%w: its format is %d, but this grantd writes %d: run the newer version, or restore a backup that was made before the upgrade (grantd store restore)",
				store.ErrNewerFormat, was.Format, stamp.Format))
		case was.Environment != stamp.Environment || was.Issuer != stamp.Issuer:
			return refuse(fmt.Errorf("%w: it belongs to environment %q and issuer %q: correct environment or issuer, run `grantd store set-issuer` if the issuer has a new URL, or set store.embedded.path to another folder",
				store.ErrForeign, was.Environment, was.Issuer))
		case was.Format == stamp.Format:
			return errUnchanged
		}
		was.Format = stamp.Format
		return putStamp(b.tx, was)
	})
}

// ReadStamp returns the stamp. Errors: store.ErrNotFound, store.ErrUnknownRecord.
func (s *Store) ReadStamp(ctx context.Context) (stamp store.Stamp, err error) {
	err = s.view(ctx, "read the stamp", func(tx *bbolt.Tx) (err error) {
		stored := meta(tx).Get(keyStamp)
		if stored == nil {
			return refuse(store.ErrNotFound)
		}
		if stamp, err = store.UnmarshalStamp(stored); err != nil {
			return refuse(err)
		}
		return nil
	})
	return stamp, err
}

// Restamp replaces the stamp. Errors: store.ErrConflict.
func (s *Store) Restamp(ctx context.Context, from, to store.Stamp) error {
	return s.write(ctx, "replace the stamp", func(b *batch) error {
		was := store.Stamp{}
		if stored := meta(b.tx).Get(keyStamp); stored != nil {
			var err error
			if was, err = store.UnmarshalStamp(stored); err != nil {
				return refuse(err)
			}
		}
		if !was.Equal(from) {
			return refuse(store.ErrConflict)
		}
		return putStamp(b.tx, to)
	})
}

func putStamp(tx *bbolt.Tx, s store.Stamp) error {
	record, err := store.MarshalStamp(s)
	if err != nil {
		return err
	}
	return meta(tx).Put(keyStamp, record)
}

// EnsureTokenKey stores candidate if there is no key, and returns all keys.
// Errors: store.ErrUnknownRecord.
func (s *Store) EnsureTokenKey(ctx context.Context, candidate store.TokenKey) ([]store.TokenKey, error) {
	var records []keyRecord
	err := s.write(ctx, "ensure token key", func(b *batch) (err error) {
		if records, err = tokenKeys(b.tx); err != nil {
			return err
		}
		if len(records) > 0 {
			return errUnchanged
		}
		records = []keyRecord{keyRecord(candidate)}
		return putTokenKeys(b.tx, records)
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

// tokenKeys returns the keys; none if there are none yet.
func tokenKeys(tx *bbolt.Tx) (records []keyRecord, err error) {
	stored := meta(tx).Get(keyTokenKeys)
	if stored == nil {
		return nil, nil
	}
	if err := json.Unmarshal(stored, &records); err != nil || len(records) == 0 {
		return nil, refuse(fmt.Errorf("token keys: %w", store.ErrUnknownRecord))
	}
	return records, nil
}

func putTokenKeys(tx *bbolt.Tx, records []keyRecord) error {
	encoded, err := json.Marshal(records)
	if err != nil {
		return err
	}
	return meta(tx).Put(keyTokenKeys, encoded)
}
