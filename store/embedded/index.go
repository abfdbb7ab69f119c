package embedded

import (
	"fmt"
	"math"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// digestKey is the front of a digest. It is enough to find a token, because no
// two digests of random tokens share 128 bits. Anyone can present any token, so
// reads compare the whole digest, which is in the value.
type digestKey [16]byte

func keyOf(d store.Digest) digestKey { return digestKey(d[:16]) }

// hour counts the hours since 1970.
type hour uint64

func hourOf(t time.Time) hour { return hour(t.Unix() / 3600) }

// location is where a token is on the disk. No hour comes near 2³² tokens.
type location struct {
	hour hour
	seq  uint32
}

// move is a change of a token's location; from is nil for a new token.
type move struct {
	from *location
	to   location
}

// index knows where every token is. It has one map for each hour, so that an
// hour can be dropped at once and its memory is freed. There are at most 26
// maps, because tokens live for at most 24 hours.
type index struct {
	mu    sync.RWMutex
	hours []hourIndex
}

type hourIndex struct {
	hour hour
	seqs map[digestKey]uint32
}

// find returns where the token is.
func (x *index) find(k digestKey) (location, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, h := range x.hours {
		if seq, ok := h.seqs[k]; ok {
			return location{h.hour, seq}, true
		}
	}
	return location{}, false
}

// keptFrom returns the first hour that is kept.
func keptFrom(now time.Time) hour { return hourOf(now.Add(-store.TokenKept)) }

// expired returns the hours whose tokens have all expired, and are not kept anymore.
func (x *index) expired(now time.Time) []hour {
	current := keptFrom(now)
	x.mu.RLock()
	defer x.mu.RUnlock()
	var list []hour
	for _, h := range x.hours {
		if h.hour < current {
			list = append(list, h.hour)
		}
	}
	return list
}

// apply makes the changes that a batch has put on the disk.
func (x *index) apply(tokens map[digestKey]move, dropped []hour) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for k, m := range tokens {
		if m.from != nil {
			delete(x.hourMap(m.from.hour, 0), k)
		}
		x.hourMap(m.to.hour, 0)[k] = m.to.seq
	}
	for _, h := range dropped {
		x.drop(h)
	}
}

// clear removes all tokens.
func (x *index) clear() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.hours = nil
}

// drop removes an hour; x is locked.
func (x *index) drop(gone hour) {
	for i, h := range x.hours {
		if h.hour == gone {
			x.hours = append(x.hours[:i], x.hours[i+1:]...)
			return
		}
	}
}

// hourMap returns the map of an hour. If it is missing, it is made with room for
// size tokens. x is locked.
func (x *index) hourMap(h hour, size int) map[digestKey]uint32 {
	for i := range x.hours {
		if x.hours[i].hour == h {
			return x.hours[i].seqs
		}
	}
	m := make(map[digestKey]uint32, size)
	x.hours = append(x.hours, hourIndex{h, m})
	return m
}

// load replaces the index by what tx holds. Hours that have passed get an empty
// map, so that they are dropped.
func (x *index) load(tx *bbolt.Tx, now time.Time) error {
	var fresh index
	err := tokens(tx).ForEachBucket(func(name []byte) error {
		h := hour(numberOf(name))
		if h < keptFrom(now) {
			fresh.hourMap(h, 0)
			return nil
		}
		b := tokens(tx).Bucket(name)
		m := fresh.hourMap(h, int(min(b.Sequence(), 1<<24)))
		return b.ForEach(func(k, v []byte) error {
			seq := numberOf(k)
			if len(v) < len(store.Digest{}) || seq > math.MaxUint32 {
				return fmt.Errorf("token record %d is damaged", seq)
			}
			m[digestKey(v[:16])] = uint32(seq)
			return nil
		})
	})
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.hours = fresh.hours
	return nil
}
