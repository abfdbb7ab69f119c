package embedded

import (
	"bytes"
	"context"
	"errors"
	"math"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/grantd/grantd/store"
)

// PutToken stores a token until its end. Errors: store.ErrExpired.
func (s *Store) PutToken(ctx context.Context, d store.Digest, t store.Token) error {
	value := tokenValue(d, &t)
	end := endOf(&t)
	return s.write(ctx, "put token", func(b *batch) error {
		if !b.now.Before(end) {
			return refuse(store.ErrExpired)
		}
		return b.putToken(keyOf(d), hourOf(end), value)
	})
}

// GetToken returns a token, even a tombstone.
// Errors: store.ErrNotFound, store.ErrUnknownRecord.
func (s *Store) GetToken(ctx context.Context, d store.Digest) (store.Token, error) {
	t, err := s.GetKeptToken(ctx, d)
	if err == nil && !s.now().Before(t.ExpiresAt) {
		return store.Token{}, resultError("get token", refuse(store.ErrNotFound))
	}
	return t, err
}

// GetKeptToken returns a token, even one that has expired.
// Errors: store.ErrNotFound, store.ErrUnknownRecord.
func (s *Store) GetKeptToken(ctx context.Context, d store.Digest) (store.Token, error) {
	const operation = "get token"
	var t store.Token
	at, known := s.index.find(keyOf(d))
	for known {
		found := false
		err := s.view(ctx, operation, func(tx *bbolt.Tx) error {
			var err error
			t, found, err = tokenAt(tx, at, d)
			return err
		})
		if err != nil {
			return store.Token{}, err
		}
		if found {
			return t, nil
		}
		// It may have moved since it was found.
		was := at
		if at, known = s.index.find(keyOf(d)); at == was {
			break
		}
	}
	if err := s.open(ctx, operation); err != nil {
		return store.Token{}, err
	}
	return store.Token{}, resultError(operation, refuse(store.ErrNotFound))
}

// ReplaceToken overwrites a stored token, and keeps its end.
// Errors: store.ErrNotFound, store.ErrUnknownRecord.
func (s *Store) ReplaceToken(ctx context.Context, d store.Digest, t store.Token) error {
	record := store.AppendToken(nil, &t)
	return s.write(ctx, "replace token", func(b *batch) error {
		at, known := b.find(keyOf(d))
		if !known {
			return refuse(store.ErrNotFound)
		}
		old, found, err := tokenAt(b.tx, at, d)
		if err != nil {
			return err
		}
		if !found || !b.now.Before(old.ExpiresAt) {
			return refuse(store.ErrNotFound)
		}
		// t may share slices with a caller that has left.
		next, err := store.DecodeToken(record)
		if err != nil {
			return refuse(err)
		}
		next.ExpiresAt = old.ExpiresAt
		return b.putToken(keyOf(d), at.hour, tokenValue(d, &next))
	})
}

// putToken writes the value where the token is. A new token, or one whose hour
// differs, goes to the end of its hour.
func (b *batch) putToken(k digestKey, h hour, value []byte) error {
	bucket, err := tokens(b.tx).CreateBucketIfNotExists(number(uint64(h)))
	if err != nil {
		return err
	}
	bucket.FillPercent = appendFill
	was, known := b.find(k)
	if known && was.hour == h {
		return bucket.Put(number(uint64(was.seq)), value)
	}
	seq, err := bucket.NextSequence()
	if err != nil {
		return err
	}
	if seq > math.MaxUint32 {
		return errors.New("too many tokens in one hour")
	}
	m := move{to: location{h, uint32(seq)}}
	if known {
		m.from = &was
		if old := tokens(b.tx).Bucket(number(uint64(was.hour))); old != nil {
			if err := old.Delete(number(uint64(was.seq))); err != nil {
				return err
			}
		}
	}
	if err := bucket.Put(number(seq), value); err != nil {
		return err
	}
	if first, again := b.tokens[k]; again {
		m.from = first.from // the index still has the location from before this batch
	}
	b.tokens[k] = m
	return nil
}

// find returns what index.find will return after this batch.
func (b *batch) find(k digestKey) (location, bool) {
	if m, ok := b.tokens[k]; ok {
		return m.to, true
	}
	if b.cleared {
		return location{}, false
	}
	return b.index.find(k)
}

// dropHours removes the tokens of whole hours.
func (b *batch) dropHours(hours []hour) error {
	for _, h := range hours {
		err := tokens(b.tx).DeleteBucket(number(uint64(h)))
		if err != nil && !errors.Is(err, bbolterrors.ErrBucketNotFound) {
			return err
		}
	}
	return nil
}

// tokenAt reads a token. It returns false if another token or none is there.
func tokenAt(tx *bbolt.Tx, at location, d store.Digest) (store.Token, bool, error) {
	bucket := tokens(tx).Bucket(number(uint64(at.hour)))
	if bucket == nil {
		return store.Token{}, false, nil
	}
	value := bucket.Get(number(uint64(at.seq)))
	if !bytes.HasPrefix(value, d[:]) {
		return store.Token{}, false, nil
	}
	t, err := store.DecodeToken(value[len(d):])
	if err != nil {
		return store.Token{}, false, refuse(err)
	}
	return t, true, nil
}

func tokenValue(d store.Digest, t *store.Token) []byte {
	return store.AppendToken(append(make([]byte, 0, 160), d[:]...), t)
}

// endOf returns a token's end as its record keeps it.
func endOf(t *store.Token) time.Time { return time.Unix(t.ExpiresAt.Unix(), 0) }
