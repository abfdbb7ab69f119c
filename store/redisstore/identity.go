package redisstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// stampRecord is the stored form of a stamp. Every later version keeps the name
// of format, so that an older program can read the version.
type stampRecord struct {
	Format      int    `json:"format"`
	Environment string `json:"environment"`
	Issuer      string `json:"issuer"`
}

// stampOnce writes a stamp unless there is one, and returns the stored one.
// It does not write where there is one, so that it works on a Redis that is full.
var stampOnce = wire.NewScript(`
local stored = redis.call('GET', KEYS[1])
if stored then return stored end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]`)

// Stamp is one script: it compares the stamp of the process that wrote first.
func (s *Store) Stamp(ctx context.Context, st store.Stamp) error {
	record, err := json.Marshal(stampRecord{Format: st.Format, Environment: st.Environment, Issuer: st.Issuer})
	if err != nil {
		return fmt.Errorf("stamp: %w", err)
	}
	stored, err := s.redis.Run(ctx, stampOnce, s.keys.stamp(), record).Text()
	if err != nil {
		return wire.StoreError(ctx, "stamp", err)
	}
	var have stampRecord
	if err := json.Unmarshal([]byte(stored), &have); err != nil {
		return fmt.Errorf("stamp: %w: %w", store.ErrUnknownRecord, err)
	}
	if have.Format > st.Format {
		return fmt.Errorf("stamp: %w: its format is %d, but this grantd writes %d: run the newer version", store.ErrNewerFormat, have.Format, st.Format)
	}
	if have.Environment != st.Environment || have.Issuer != st.Issuer {
		return fmt.Errorf("stamp: %w: it belongs to environment %q and issuer %q: correct environment or issuer, or use another store.redis.key_prefix",
			store.ErrForeign, have.Environment, have.Issuer)
	}
	return nil
}

// keyRecord is the stored form of a key of the keyed check.
type keyRecord struct {
	V         int       `json:"v"`
	Key       []byte    `json:"key"`
	CreatedAt time.Time `json:"created_at"`
}

var ensureKey = wire.NewScript(`
if redis.call('HLEN', KEYS[1]) == 0 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return redis.call('HGETALL', KEYS[1])`)

// EnsureTokenKey is one script. It returns the keys in order of their ids.
func (s *Store) EnsureTokenKey(ctx context.Context, candidate store.TokenKey) ([]store.TokenKey, error) {
	record, err := json.Marshal(keyRecord{V: store.Format, Key: candidate.Key, CreatedAt: candidate.CreatedAt})
	if err != nil {
		return nil, fmt.Errorf("ensure token key: %w", err)
	}
	fields, err := s.redis.Run(ctx, ensureKey, s.keys.tokenKeys(), candidate.ID, record).StringSlice()
	if err != nil {
		return nil, wire.StoreError(ctx, "ensure token key", err)
	}
	var list []store.TokenKey
	for pair := range slices.Chunk(fields, 2) {
		key, err := tokenKey(pair)
		if err != nil {
			return nil, fmt.Errorf("ensure token key: %w", err)
		}
		list = append(list, key)
	}
	slices.SortFunc(list, func(a, b store.TokenKey) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

// tokenKey decodes an id and a record.
func tokenKey(pair []string) (store.TokenKey, error) {
	var r keyRecord
	id, err := strconv.ParseUint(pair[0], 10, 8)
	if err == nil {
		err = json.Unmarshal([]byte(pair[1]), &r)
	}
	if err != nil {
		return store.TokenKey{}, fmt.Errorf("%w: key %q: %w", store.ErrUnknownRecord, pair[0], err)
	}
	if r.V != store.Format {
		return store.TokenKey{}, fmt.Errorf("%w: key %q: version %d", store.ErrUnknownRecord, pair[0], r.V)
	}
	return store.TokenKey{ID: uint8(id), Key: r.Key, CreatedAt: r.CreatedAt}, nil
}
