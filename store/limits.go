package store

import "time"

// Hit adds to one counter of a limit.
type Hit struct {
	// Key names the counter. It holds no identity in plain text, and callers
	// bound how many different keys there are.
	Key string
	N   int64 // 0: only read the counter
	// Window is how long a counter lives after its first hit, at least 1 ms.
	Window time.Duration
}

// Count is the state of a counter.
type Count struct {
	N    int64
	Left time.Duration // until it starts at 0 again
}
