package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
)

// usualRecord is more than the record of an ordinary token takes, in bytes.
const usualRecord = 112

// PutToken is one SET with EX.
func (s *Store) PutToken(ctx context.Context, d store.Digest, t store.Token) error {
	key, value := s.keys.token(d), store.AppendToken(make([]byte, 0, usualRecord), &t)
	return retry(ctx, func() error {
		// Redis takes no end of zero or below for what it is, and would keep
		// the record for ever.
		left := t.ExpiresAt.Sub(s.now())
		if left <= 0 {
			return fmt.Errorf("put token: %w", store.ErrExpired)
		}
		return failed(ctx, "put token", s.set(ctx, key, value, wholeSeconds(left)))
	})
}

// set is SET with EX, acknowledged by replicas if tokens are to be.
func (s *Store) set(ctx context.Context, key string, value []byte, life time.Duration) error {
	cmd := redis.NewStatusCmd(ctx, "set", key, value, "ex", int64(life/time.Second))
	if s.acks.Tokens == 0 {
		return s.do(ctx, key, cmd)
	}
	return s.acked(ctx, key, s.acks.Tokens, cmd)
}

// wholeSeconds rounds up: Redis must not end a token before its time;
// GetToken holds it to the end it has.
func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// GetToken is one GET.
func (s *Store) GetToken(ctx context.Context, d store.Digest) (store.Token, error) {
	key := s.keys.token(d)
	var value []byte
	err := retry(ctx, func() error {
		cmd := redis.NewStringCmd(ctx, "get", key)
		if err := s.do(ctx, key, cmd); err != nil {
			return err
		}
		value = []byte(cmd.Val())
		return nil
	})
	if isNil(err) {
		return store.Token{}, fmt.Errorf("get token: %w", store.ErrNotFound)
	}
	if err != nil {
		return store.Token{}, failed(ctx, "get token", err)
	}
	t, err := store.DecodeToken(value)
	if err != nil {
		return store.Token{}, fmt.Errorf("get token: %w", err)
	}
	if !s.now().Before(t.ExpiresAt) {
		return store.Token{}, fmt.Errorf("get token: %w", store.ErrNotFound)
	}
	return t, nil
}

// ReplaceToken is a GET for the end of the stored record, and a SET with XX
// and KEEPTTL. A record that cannot be read is replaced too: a token of a
// newer version must be as easy to revoke as any.
func (s *Store) ReplaceToken(ctx context.Context, d store.Digest, t store.Token) error {
	stored, err := s.GetToken(ctx, d)
	if err == nil {
		t.ExpiresAt = stored.ExpiresAt
	} else if !errors.Is(err, store.ErrUnknownRecord) {
		return fmt.Errorf("replace token: %w", err)
	}
	cmd := redis.NewStatusCmd(ctx, "set", s.keys.token(d), store.AppendToken(nil, &t), "xx", "keepttl")
	if s.acks.Tokens == 0 {
		err = s.client.Process(ctx, cmd)
	} else {
		err = s.acked(ctx, s.keys.token(d), s.acks.Tokens, cmd)
	}
	if isNil(err) {
		return fmt.Errorf("replace token: %w", store.ErrNotFound)
	}
	return failed(ctx, "replace token", err)
}
