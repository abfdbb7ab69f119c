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

// stampOnce writes a stamp unless there is one, and returns the stored one.
// It does not write where there is one, so that it works on a Redis that is full.
var stampOnce = wire.NewScript(`
local stored = redis.call('GET', KEYS[1])
if stored then return stored end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]`)

// swapStamp replaces the first stamp by the second; "" is no stamp.
var swapStamp = wire.NewEnding(`
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1`)

// Stamp is one script: it compares the stamp of the process that wrote first. A
// second one raises the format of an older stamp.
func (s *Store) Stamp(ctx context.Context, st store.Stamp) error {
	record, err := store.MarshalStamp(st)
	if err != nil {
		return fmt.Errorf("stamp: %w", err)
	}
	stored, err := s.redis.Run(ctx, stampOnce, s.keys.stamp(), record).Text()
	if err != nil {
		return wire.StoreError(ctx, "stamp", err)
	}
	have, err := store.UnmarshalStamp([]byte(stored))
	if err != nil {
		return err
	}
	if have.Format > st.Format {
		return fmt.Errorf("stamp: %w: its format is %d, but this grantd writes %d: run the newer version, or restore a backup that was made before the upgrade (grantd store restore)",
			store.ErrNewerFormat, have.Format, st.Format)
	}
	if have.Environment != st.Environment || have.Issuer != st.Issuer {
		return fmt.Errorf("stamp: %w: it belongs to environment %q and issuer %q: correct environment or issuer, run `grantd store set-issuer` if the issuer has a new URL, or use another store.redis.key_prefix",
			store.ErrForeign, have.Environment, have.Issuer)
	}
	if have.Format == st.Format {
		return nil
	}
	have.Format = st.Format
	// If another replica has replaced the stamp meanwhile, it has raised the format.
	_, err = s.swapStamp(ctx, stored, have)
	return err
}

// swapStamp replaces the stored form by that of st, and reports whether it did.
func (s *Store) swapStamp(ctx context.Context, stored string, st store.Stamp) (bool, error) {
	record, err := store.MarshalStamp(st)
	if err != nil {
		return false, fmt.Errorf("stamp: %w", err)
	}
	swapped, err := s.runCritical(ctx, swapStamp, s.keys.stamp(), stored, record).Int()
	if err != nil {
		return false, wire.StoreError(ctx, "stamp", err)
	}
	return swapped == 1, nil
}

// ReadStamp is one GET.
func (s *Store) ReadStamp(ctx context.Context) (store.Stamp, error) {
	stored, err := s.storedStamp(ctx)
	if err != nil {
		return store.Stamp{}, err
	}
	if stored == "" {
		return store.Stamp{}, fmt.Errorf("read stamp: %w", store.ErrNotFound)
	}
	return store.UnmarshalStamp([]byte(stored))
}

// storedStamp returns the form of the stamp; "" if there is none.
func (s *Store) storedStamp(ctx context.Context) (stored string, err error) {
	err = wire.Retry(ctx, func() (err error) {
		stored, err = s.redis.Get(ctx, s.keys.stamp()).Result()
		return err
	})
	if wire.IsNil(err) {
		return "", nil
	}
	return stored, wire.StoreError(ctx, "read stamp", err)
}

// Restamp is a GET, and a script that replaces what that returned.
func (s *Store) Restamp(ctx context.Context, from, to store.Stamp) error {
	stored, err := s.storedStamp(ctx)
	if err != nil {
		return err
	}
	was := store.Stamp{}
	if stored != "" {
		if was, err = store.UnmarshalStamp([]byte(stored)); err != nil {
			return err
		}
	}
	swapped := false
	if was.Equal(from) {
		if swapped, err = s.swapStamp(ctx, stored, to); err != nil {
			return err
		}
	}
	if !swapped {
		return fmt.Errorf("replace stamp: %w", store.ErrConflict)
	}
	return nil
}

// keyVersion is the version of the form of a key. It does not follow store.Format:
// old keys stay readable.
const keyVersion = 1

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
	record, err := json.Marshal(keyRecord{V: keyVersion, Key: candidate.Key, CreatedAt: candidate.CreatedAt})
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
	if r.V != keyVersion {
		return store.TokenKey{}, fmt.Errorf("%w: key %q: version %d", store.ErrUnknownRecord, pair[0], r.V)
	}
	return store.TokenKey{ID: uint8(id), Key: r.Key, CreatedAt: r.CreatedAt}, nil
}
