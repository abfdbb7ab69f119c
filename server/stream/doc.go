// Package stream serves GET /oauth/revocations: the void keys of everything that the
// feed ends, as server-sent events, to resource servers that cache introspections. It
// owns the events, the readers and their bounds. It does not decide what is void
// (server/feed), what a void key is (server/voidkeys), or who may read (server/oauth).
//
// The Hub takes what is applied to the feed, encodes each batch once, and wakes the
// readers. Each reader writes from the same bytes, in its own goroutine, at its own
// pace; nobody waits for it. One that falls behind what is kept, or that the feed
// cannot serve without a gap, gets a reset: it drops what it has cached.
package stream
