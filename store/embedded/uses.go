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

// useRecord is the stored form of a use, version 1.
type useRecord struct {
	V     int    `json:"v"`
	Count int64  `json:"n"`
	At    int64  `json:"at"` // Unix milliseconds
	IP    string `json:"ip,omitempty"`
}

const useVersion = 1

// AddUses adds the counts, and keeps the latest time and its address. Uses of
// owners that are gone are dropped. Errors: store.ErrUnknownRecord.
func (s *Store) AddUses(ctx context.Context, added []store.Use) error {
	added = slices.Clone(added) // the caller may leave, and change it, before the write runs
	return s.write(ctx, "add uses", func(b *batch) error {
		sums := map[string]useRecord{}
		for _, u := range added {
			if !ownerExists(b.tx, u.Owner) {
				continue
			}
			key := string(useKey(u.Owner, u.ID))
			sum, ok := sums[key]
			if !ok {
				var err error
				if sum, err = useOf(uses(b.tx).Get([]byte(key))); err != nil {
					return err
				}
			}
			sums[key] = sum.add(u)
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

// ownerExists reports whether there is a record of the owner.
func ownerExists(tx *bbolt.Tx, owner string) bool {
	kind, id := store.OwnerOf(owner)
	switch kind {
	case store.OwnerClient:
		return tx.Bucket(bucketClients).Get([]byte(id)) != nil
	case store.OwnerPartner:
		return tx.Bucket(bucketPartners).Get([]byte(id)) != nil
	case store.OwnerKey:
		return tx.Bucket(bucketAPIKeys).Get([]byte(id)) != nil
	}
	return false
}

// ListUses returns the uses of an owner's credentials by their ids.
// Errors: store.ErrUnknownRecord.
func (s *Store) ListUses(ctx context.Context, owner string) (map[string]store.Use, error) {
	uses, err := s.ListUsesOf(ctx, owner)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]store.Use, len(uses))
	for _, u := range uses {
		byID[u.ID] = u
	}
	return byID, nil
}

// ListUsesOf returns the uses of the credentials of several owners.
// Errors: store.ErrUnknownRecord.
func (s *Store) ListUsesOf(ctx context.Context, owners ...string) (list []store.Use, err error) {
	err = s.view(ctx, "list uses", func(tx *bbolt.Tx) error {
		c := uses(tx).Cursor()
		for _, owner := range owners {
			prefix := useKey(owner, "")
			for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
				r, err := useOf(v)
				if err != nil {
					return err
				}
				id := string(k[len(prefix):])
				list = append(list, store.Use{Owner: owner, ID: id, Count: r.Count, LastAt: time.UnixMilli(r.At).UTC(), LastIP: r.IP})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// deleteUses removes the uses of an owner's credentials.
func deleteUses(tx *bbolt.Tx, owner string) error {
	var keys [][]byte
	prefix := useKey(owner, "")
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

func (r useRecord) add(u store.Use) useRecord {
	r.Count += u.Count
	if at := u.LastAt.UnixMilli(); r.V == 0 || at > r.At {
		r.At, r.IP = at, u.LastIP
	}
	r.V = useVersion
	return r
}

// useOf decodes a record. Without one, it returns the zero record.
func useOf(record []byte) (useRecord, error) {
	var r useRecord
	if record == nil {
		return r, nil
	}
	if err := json.Unmarshal(record, &r); err != nil || r.V != useVersion {
		return useRecord{}, refuse(fmt.Errorf("use: %w", store.ErrUnknownRecord))
	}
	return r, nil
}

// useKey ends the owner with a zero byte, which no id holds. A client is named
// by its id alone, as in files of an older grantd. That is unambiguous: no id
// holds the ':' that is in the keys of other owners.
func useKey(owner, id string) []byte {
	if kind, client := store.OwnerOf(owner); kind == store.OwnerClient {
		owner = client
	}
	return []byte(owner + "\x00" + id)
}
