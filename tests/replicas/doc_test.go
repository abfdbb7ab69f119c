// Package replicas_test holds two grantd against one Redis to the promise of
// design §3: what one of them acknowledged is true at the other, and a store
// that was cut off, restarted or emptied never makes an ended token live
// again. It sees the servers only from outside.
package replicas_test
