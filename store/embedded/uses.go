package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// useRecord is the stored form of a secret's use, version 1.
type useRecord struct {
	V     int    `json:"v"`
	Count int64  `json:"n"`
	At    int64  `json:"at"` // Unix milliseconds
	IP    string `json:"ip,omitempty"`
}

const useVersion = 1

// AddSecretUses adds the counts, and keeps the latest time and its address.
// Uses of clients that are gone are dropped. Errors: store.ErrUnknownRecord.
func (s *Store) AddSecretUses(ctx context.Context, added []store.SecretUse) error {
	added = slices.Clone(added) // the caller may be gone when its turn comes
	return s.write(ctx, "add secret uses", func(b *batch) error {
		sums := map[string]useRecord{}
		for _, u := range added {
			if clients(b.tx).Get([]byte(u.ClientID)) == nil {
				continue
			}
			key := string(useKey(u.ClientID, u.SecretID))
			sum, ok := sums[key]
			if !ok {
				var err error
				if sum, err = useOf(uses(b.tx).Get([]byte(key))); err != nil {
					return err
				}
			}
			sums[key] = sum.plus(u)
		}
		if len(sums) == 0 {
			return errUnchanged
		}
		for key, sum := range sums {
			record, err := json.Marshal(sum)
			if err != nil {
				return err
			}
			if err := uses(b.tx).Put([]byte(key), record); err != nil {
				return err
			}
		}
		return nil
	})
}

// ListSecretUses answers the uses of a client's secrets by secret id.
// Errors: store.ErrUnknownRecord.
func (s *Store) ListSecretUses(ctx context.Context, clientID string) (map[string]store.SecretUse, error) {
	list := map[string]store.SecretUse{}
	err := s.view(ctx, "list secret uses", func(tx *bbolt.Tx) error {
		prefix := useKey(clientID, "")
		c := uses(tx).Cursor()
		for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
			r, err := useOf(v)
			if err != nil {
				return err
			}
			secret := string(k[len(prefix):])
			list[secret] = store.SecretUse{
				ClientID: clientID,
				SecretID: secret,
				Count:    r.Count,
				LastAt:   time.UnixMilli(r.At).UTC(),
				LastIP:   r.IP,
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// deleteUses removes the uses of a client's secrets.
func deleteUses(tx *bbolt.Tx, clientID string) error {
	var keys [][]byte
	prefix := useKey(clientID, "")
	c := uses(tx).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, k)
	}
	for _, k := range keys {
		if err := uses(tx).Delete(k); err != nil {
			return err
		}
	}
	return nil
}

func (r useRecord) plus(u store.SecretUse) useRecord {
	r.Count += u.Count
	if at := u.LastAt.UnixMilli(); r.V == 0 || at > r.At {
		r.At, r.IP = at, u.LastIP
	}
	r.V = useVersion
	return r
}

// useOf reads a record; none is the zero record.
func useOf(record []byte) (useRecord, error) {
	var r useRecord
	if record == nil {
		return r, nil
	}
	if err := json.Unmarshal(record, &r); err != nil || r.V != useVersion {
		return useRecord{}, refuse(fmt.Errorf("secret use: %w", store.ErrUnknownRecord))
	}
	return r, nil
}

// useKey ends the client's id with a zero byte, which no id holds.
func useKey(clientID, secretID string) []byte {
	return []byte(clientID + "\x00" + secretID)
}
