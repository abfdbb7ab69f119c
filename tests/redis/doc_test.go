// Package redis_test tests one and two servers on one Redis from outside.
//
//   - What one of two servers has acknowledged holds at the other within
//     cache.max_staleness. A store that was cut off, restarted or emptied never
//     makes an ended token active again.
//   - While Redis is down, slow, full or otherwise unusable, callers get 503,
//     never 401 and never an inactive token. Full service returns soon after the
//     fault, without a restart.
package redis_test
