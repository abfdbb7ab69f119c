package store

import "time"

// Hit adds to one counter of what is limited.
type Hit struct {
	// Key names the counter. It holds no identity in the clear, and callers
	// bound how many different ones there are.
	Key string
	N   int64 // 0 only asks
	// Window is how long a counter lives after its first hit, at least 1 ms.
	Window time.Duration
}

// Count is where a counter stands.
type Count struct {
	N    int64
	Left time.Duration // until it begins at 0 again
}
