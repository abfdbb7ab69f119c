package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// usualRecord is a capacity that the record of an ordinary token fits in, in bytes.
const usualRecord = 112

// PutToken is one SET with EX.
func (s *Store) PutToken(ctx context.Context, d store.Digest, t store.Token) error {
	if err := s.room("put token"); err != nil {
		return err
	}
	key, value := s.keys.token(d), store.AppendToken(make([]byte, 0, usualRecord), &t)
	return wire.Retry(ctx, func() error {
		// Redis refuses EX 0 and below, and without EX it would keep the record
		// forever.
		left := t.ExpiresAt.Sub(s.now())
		if left <= 0 {
			return fmt.Errorf("put token: %w", store.ErrExpired)
		}
		life := int64(wholeSeconds(left+store.TokenKept) / time.Second)
		cmd := redis.NewStatusCmd(ctx, "set", key, value, "ex", life)
		return wire.StoreError(ctx, "put token", s.redis.SendAcked(ctx, key, wire.Ack{Replicas: s.acks.Tokens}, cmd))
	})
}

// wholeSeconds rounds up: Redis must not end a token early. GetToken checks
// the exact end.
func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// GetToken is one GET.
func (s *Store) GetToken(ctx context.Context, d store.Digest) (store.Token, error) {
	t, err := s.GetKeptToken(ctx, d)
	if err == nil && !s.now().Before(t.ExpiresAt) {
		return store.Token{}, fmt.Errorf("get token: %w", store.ErrNotFound)
	}
	return t, err
}

// GetKeptToken is one GET.
func (s *Store) GetKeptToken(ctx context.Context, d store.Digest) (store.Token, error) {
	key := s.keys.token(d)
	var value []byte
	err := wire.Retry(ctx, func() error {
		cmd := redis.NewStringCmd(ctx, "get", key)
		if err := s.redis.Send(ctx, key, cmd); err != nil {
			return err
		}
		value = []byte(cmd.Val())
		return nil
	})
	if wire.IsNil(err) {
		return store.Token{}, fmt.Errorf("get token: %w", store.ErrNotFound)
	}
	if err != nil {
		return store.Token{}, wire.StoreError(ctx, "get token", err)
	}
	t, err := store.DecodeToken(value)
	if err != nil {
		return store.Token{}, fmt.Errorf("get token: %w", err)
	}
	return t, nil
}

// replaceValue is SET with XX and KEEPTTL, also on a Redis that is full.
var replaceValue = wire.NewEnding(`return redis.call('SET', KEYS[1], ARGV[1], 'XX', 'KEEPTTL')`)

// ReplaceToken is a GET for the end of the stored record, and a SET with XX
// and KEEPTTL. A record that cannot be read is replaced too: a token of a
// newer version must be as easy to revoke as any other.
func (s *Store) ReplaceToken(ctx context.Context, d store.Digest, t store.Token) error {
	stored, err := s.GetToken(ctx, d)
	if err == nil {
		t.ExpiresAt = stored.ExpiresAt
	} else if !errors.Is(err, store.ErrUnknownRecord) {
		return fmt.Errorf("replace token: %w", err)
	}
	err = s.runChange(ctx, s.acks.Tokens, replaceValue, s.keys.token(d), store.AppendToken(nil, &t)).Err()
	if wire.IsNil(err) {
		return fmt.Errorf("replace token: %w", store.ErrNotFound)
	}
	return wire.StoreError(ctx, "replace token", err)
}
