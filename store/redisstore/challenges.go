package redisstore

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// putChallenge takes the proof, the tries, the end and the time until then, both
// in ms. It sets the life in the same step, so that no challenge lives forever.
var putChallenge = wire.NewScript(`
redis.call('HSET', KEYS[1], 'p', ARGV[1], 'n', ARGV[2], 'e', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1`)

// tryChallenge takes a proof, a nonce and the time in ms. It counts the try,
// compares, and removes the challenge in one step.
//
// Lua does not promise that == takes the same time for all texts. So the script
// compares hashes with a nonce that nobody can know: the time that takes says
// nothing about the stored proof. SHA-1 is the only hash that a script has, and
// it is good enough for this.
var tryChallenge = wire.NewScript(`
local held = redis.call('HMGET', KEYS[1], 'p', 'n', 'e')
if not (held[1] or held[2] or held[3]) then return 0 end
local tries, ends = tonumber(held[2] or ''), tonumber(held[3] or '')
if not (held[1] and tries and ends) then return redis.error_reply('WRONGTYPE not a challenge') end
if tonumber(ARGV[3]) >= ends then return 0 end
if redis.sha1hex(ARGV[2] .. held[1]) == redis.sha1hex(ARGV[2] .. ARGV[1]) then
  redis.call('DEL', KEYS[1])
  return 1
end
if tries > 1 then
  redis.call('HSET', KEYS[1], 'n', tries - 1)
else
  redis.call('DEL', KEYS[1])
end
return -1`)

// dropKey is DEL as a script, for runCritical.
var dropKey = wire.NewEnding(`return redis.call('DEL', KEYS[1])`)

// nonceBytes is the length of the nonce of tryChallenge.
const nonceBytes = 16

// PutChallenge is one script. Ends are truncated to milliseconds.
func (s *Store) PutChallenge(ctx context.Context, d store.Digest, c store.Challenge) error {
	if err := s.room("put challenge"); err != nil {
		return err
	}
	end := c.ExpiresAt.UnixMilli()
	left := end - s.now().UnixMilli()
	if left <= 0 {
		return fmt.Errorf("put challenge: %w", store.ErrExpired)
	}
	return wire.StoreError(ctx, "put challenge", s.runCritical(ctx, putChallenge, s.keys.challenge(d), c.Proof[:], c.Tries, end, left).Err())
}

// TryChallenge is one script.
func (s *Store) TryChallenge(ctx context.Context, d, proof store.Digest) error {
	const op = "try challenge"
	const wrong = -1
	nonce := make([]byte, nonceBytes)
	_, _ = rand.Read(nonce) // it cannot fail
	result, err := s.runCritical(ctx, tryChallenge, s.keys.challenge(d), proof[:], nonce, s.now().UnixMilli()).Int()
	if err != nil {
		return wire.StoreError(ctx, op, err)
	}
	switch result {
	case done:
		return nil
	case absent:
		return fmt.Errorf("%s: %w", op, store.ErrNotFound)
	case wrong:
		return fmt.Errorf("%s: %w", op, store.ErrWrong)
	}
	return fmt.Errorf("redis: %s: the script returned %d", op, result)
}

// DropChallenge is one script.
func (s *Store) DropChallenge(ctx context.Context, d store.Digest) error {
	return wire.StoreError(ctx, "drop challenge", s.runCritical(ctx, dropKey, s.keys.challenge(d)).Err())
}
