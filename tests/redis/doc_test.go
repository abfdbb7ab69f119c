// Package redis_test tests what one and two grantd do on one Redis. It sees the
// servers only from outside.
//
//   - What one of two grantd acknowledged is true at the other. A store that was
//     cut off, restarted or emptied never makes an ended token live again.
//   - When Redis is away, slow, full or not what it should be, the response is
//     503, never 401 and never inactive. grantd is whole again soon after,
//     without a restart.
package redis_test
