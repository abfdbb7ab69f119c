package feed

import (
	"hash/maphash"
	"iter"
	"math"
	"strings"
	"time"

	"github.com/grantd/grantd/store"
)

// revocations are the latest voids of single tokens. Any client can add to them,
// so each takes some 60 bytes, and none has a pointer that the garbage collector
// would follow. They are kept by the hour in which they expire: an hour that has
// passed is dropped as a whole, and its memory is free.
type revocations struct {
	seed  maphash.Seed // callers choose what they revoke, so its place must not be known to them
	hours []*revokedHour
}

func newRevocations() *revocations { return &revocations{seed: maphash.MakeSeed()} }

// revokedHour holds the revocations that expire in one hour.
type revokedHour struct {
	hour   int64 // since 1970
	first  store.Position
	begun  int64          // Unix ms; the times below count from here
	blocks [][]revocation // all but the last one are full
	count  int
	slots  []uint32 // hash table with open addressing, see slotOf; 0 is free
	by     []string
	actors map[string]uint32 // index in by
}

// revocation is store.Entry without what is the same for all of an hour.
type revocation struct {
	token    store.Digest
	time     uint32 // of the position, after first
	seq      uint32 // of the position; after first if the position has no time
	at       int32  // ms after begun
	lifetime uint32 // ms from at to Until; 0: there is no Until
	by       uint32
}

// A slot has the number of a revocation plus 1, and above that 8 bits of its hash:
// most lookups are about tokens that are not revoked, and must not read the
// revocations beside which they would be.
const (
	numberBits = 24
	maxNumber  = 1<<numberBits - 2
)

func slotOf(hash uint64, n uint32) uint32 { return uint32(hash>>56)<<numberBits | (n + 1) }

// blockSize makes a block a little smaller than 64 KiB.
const blockSize = 1260

// put adds the void of a token. It returns false if the entry is not of that form,
// or does not fit; the caller then keeps it elsewhere.
func (r *revocations) put(e *store.Entry) bool {
	if e.Kind != store.EntryVoid {
		return false
	}
	token, ok := store.TokenOfPrincipal(e.Key)
	if !ok {
		return false
	}
	h := r.hourOf(e)
	x, ok := h.pack(token, e)
	if !ok {
		return false
	}
	hash := maphash.Bytes(r.seed, token[:])
	if old := h.find(hash, &token); old != nil {
		*old = x
		return true
	}
	if h.count > maxNumber {
		return false
	}
	h.add(r.seed, hash, x)
	return true
}

// hourOf returns the hour in which the entry expires, and makes it if it is
// missing.
func (r *revocations) hourOf(e *store.Entry) *revokedHour {
	hour := expiry(e).Unix() / 3600
	for _, h := range r.hours {
		if h.hour == hour {
			return h
		}
	}
	h := &revokedHour{hour: hour, first: e.Position, begun: e.At.UnixMilli(), slots: make([]uint32, 16), actors: map[string]uint32{}}
	r.hours = append(r.hours, h)
	return h
}

// find returns the latest void of the token.
func (r *revocations) find(token store.Digest) (e store.Entry, ok bool) {
	h, x := r.look(token)
	if x == nil {
		return store.Entry{}, false
	}
	return h.unpack(x), true
}

// position returns the position of the latest void of the token, or zero.
func (r *revocations) position(token store.Digest) store.Position {
	h, x := r.look(token)
	if x == nil {
		return store.Position{}
	}
	return h.position(x)
}

func (r *revocations) look(token store.Digest) (in *revokedHour, latest *revocation) {
	if len(r.hours) == 0 {
		return nil, nil
	}
	hash := maphash.Bytes(r.seed, token[:])
	for _, h := range r.hours {
		// It is in several hours if it was revoked repeatedly.
		if x := h.find(hash, &token); x != nil && (latest == nil || h.position(x).After(in.position(latest))) {
			in, latest = h, x
		}
	}
	return in, latest
}

// len returns how many there are.
func (r *revocations) len() int {
	n := 0
	for _, h := range r.hours {
		n += h.count
	}
	return n
}

// all returns every revocation, in no order.
func (r *revocations) all() iter.Seq2[*revokedHour, *revocation] {
	return func(yield func(*revokedHour, *revocation) bool) {
		for _, h := range r.hours {
			for _, block := range h.blocks {
				for i := range block {
					if !yield(h, &block[i]) {
						return
					}
				}
			}
		}
	}
}

// prune drops the hours that have passed.
func (r *revocations) prune(now time.Time) {
	current := now.Unix() / 3600
	kept := r.hours[:0]
	for _, h := range r.hours {
		if h.hour >= current {
			kept = append(kept, h)
		}
	}
	clear(r.hours[len(kept):])
	r.hours = kept
}

// pack returns false if a number does not fit.
func (h *revokedHour) pack(token store.Digest, e *store.Entry) (revocation, bool) {
	ms, seq := e.Position.Time-h.first.Time, e.Position.Seq
	if h.first.Time == 0 {
		seq -= h.first.Seq
	}
	at := e.At.UnixMilli() - h.begun
	var lifetime int64
	if !e.Until.IsZero() {
		lifetime = e.Until.UnixMilli() - e.At.UnixMilli()
		if lifetime <= 0 {
			return revocation{}, false
		}
	}
	if ms > math.MaxUint32 || seq > math.MaxUint32 || at != int64(int32(at)) || lifetime > math.MaxUint32 {
		return revocation{}, false
	}
	by, known := h.actors[e.By]
	if !known {
		by = uint32(len(h.by))
		h.by = append(h.by, strings.Clone(e.By)) // it may be part of something longer
		h.actors[h.by[by]] = by
	}
	return revocation{token, uint32(ms), uint32(seq), int32(at), uint32(lifetime), by}, true
}

func (h *revokedHour) position(x *revocation) store.Position {
	p := store.Position{Time: h.first.Time + uint64(x.time), Seq: uint64(x.seq)}
	if h.first.Time == 0 {
		p.Seq += h.first.Seq
	}
	return p
}

// unpack returns what pack was called with.
func (h *revokedHour) unpack(x *revocation) store.Entry {
	e := store.Entry{
		Position: h.position(x), Kind: store.EntryVoid, Key: store.PrincipalToken(x.token), By: h.by[x.by],
		At: time.UnixMilli(h.begun + int64(x.at)).UTC(),
	}
	if x.lifetime != 0 {
		e.Until = e.At.Add(time.Duration(x.lifetime) * time.Millisecond)
	}
	return e
}

func (h *revokedHour) find(hash uint64, token *store.Digest) *revocation {
	for i := hash; ; i++ {
		slot := h.slots[i&uint64(len(h.slots)-1)]
		if slot == 0 {
			return nil
		}
		if slot>>numberBits != uint32(hash>>56) {
			continue
		}
		if x := h.number(slot&(1<<numberBits-1) - 1); x.token == *token {
			return x
		}
	}
}

func (h *revokedHour) number(n uint32) *revocation { return &h.blocks[n/blockSize][n%blockSize] }

// add adds a revocation of a token that the hour does not have.
func (h *revokedHour) add(seed maphash.Seed, hash uint64, x revocation) {
	if h.count*4 >= len(h.slots)*3 {
		h.grow(seed)
	}
	if h.count%blockSize == 0 {
		var block []revocation // the first one grows; most hours have few
		if h.count > 0 {
			block = make([]revocation, 0, blockSize)
		}
		h.blocks = append(h.blocks, block)
	}
	last := &h.blocks[len(h.blocks)-1]
	*last = append(*last, x)
	h.insert(hash, uint32(h.count))
	h.count++
}

// grow doubles the hash table.
func (h *revokedHour) grow(seed maphash.Seed) {
	h.slots = make([]uint32, 2*len(h.slots))
	n := uint32(0)
	for _, block := range h.blocks {
		for i := range block {
			h.insert(maphash.Bytes(seed, block[i].token[:]), n)
			n++
		}
	}
}

func (h *revokedHour) insert(hash uint64, n uint32) {
	for i := hash; ; i++ {
		if slot := &h.slots[i&uint64(len(h.slots)-1)]; *slot == 0 {
			*slot = slotOf(hash, n)
			return
		}
	}
}
