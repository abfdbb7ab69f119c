package guard

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"sync/atomic"
)

const (
	// mostInFlight is how many requests to the introspection endpoint are in flight at
	// most.
	mostInFlight = 256
	// mostStrangers is how many of them may be about tokens that were not active lately.
	// Callers can make up as many of those as they like.
	mostStrangers = 192
	// mostWaiting is how many look-ups of such tokens may wait for a request of another
	// look-up. A program that calls the guard has bounds too, which they would fill.
	mostWaiting = 512
)

var errBusy = errors.New("too many requests to the authorization server are in flight, or too many look-ups wait for one")

// asker says for which token and which caller a request is made.
type asker struct {
	known bool         // the token was active lately
	from  netip.Prefix // zero: the address of the caller is not known
}

// places counts the requests in flight. While the authorization server is slow, callers
// with made-up tokens must not keep out the others. So a part is kept for
// tokens that were active lately, and of the rest, one address gets at most as many
// places as it leaves free: a single one gets half of them, two get a third each. The
// lock of flights protects it.
type places struct {
	known, strangers int
	waiting          int                  // strangers, for the request of another look-up
	from             map[netip.Prefix]int // strangers from each address
}

// take takes a place. Errors: errBusy.
func (p *places) take(a asker) error {
	switch {
	case p.known+p.strangers >= mostInFlight:
		return errBusy
	case a.known:
		p.known++
		return nil
	case p.strangers >= mostStrangers || a.from.IsValid() && p.from[a.from] >= mostStrangers-p.strangers:
		return errBusy
	}
	p.strangers++
	if a.from.IsValid() {
		p.from[a.from]++
	}
	return nil
}

// wait notes a look-up that waits for the request of another one. Errors: errBusy.
func (p *places) wait(a asker) error {
	switch {
	case a.known:
		return nil
	case p.waiting >= mostWaiting:
		return errBusy
	}
	p.waiting++
	return nil
}

// free gives back a place that was taken for a.
func (p *places) free(a asker) {
	if a.known {
		p.known--
		return
	}
	p.strangers--
	if n := p.from[a.from]; n > 1 {
		p.from[a.from] = n - 1
	} else {
		delete(p.from, a.from)
	}
}

// networkOf returns what counts as one address: of IPv6, the 64 bits that a network
// has. The rest is free for its machines to choose.
func networkOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return netip.Prefix{}
	}
	network, _ := a.Prefix(min(a.BitLen(), 64)) // the length fits
	return network
}

// acquainted remembers which tokens were active lately, in 256 KiB. It outlives the
// cache: when the cache is dropped, all tokens in use are asked for at once. Two tokens
// share a bucket; a third one replaces the older of them. A token counts by 46 bits of
// its digest, which only a caller with the token can hit.
type acquainted [1 << 15]atomic.Uint64

func (l *acquainted) find(k cacheKey) (bucket *atomic.Uint64, mark uint64) {
	return &l[binary.LittleEndian.Uint64(k[:8])%uint64(len(l))], uint64(binary.LittleEndian.Uint32(k[8:12])) | 1 // 0 means that no token is there
}

// has reports whether the token was active lately.
func (l *acquainted) has(k cacheKey) bool {
	bucket, mark := l.find(k)
	both := bucket.Load()
	return both&0xffffffff == mark || both>>32 == mark
}

// note notes whether the token is active. Of two calls at the same time, one may be
// lost: then a token is a stranger until it is active again.
func (l *acquainted) note(k cacheKey, active bool) {
	bucket, mark := l.find(k)
	both := bucket.Load()
	newer, older := both&0xffffffff, both>>32
	switch {
	case active && newer != mark:
		bucket.Store(newer<<32 | mark)
	case !active && newer == mark:
		bucket.Store(older)
	case !active && older == mark:
		bucket.Store(newer)
	}
}
