// Package topology_test holds two grantd on Redis Sentinel and on a Redis
// Cluster to the promises of design §3: what one of them acknowledged is true
// at the other, also while a master dies, a slot moves, or the Cluster is
// down; and what a failover lost is written back, or void. All servers are
// real, belong to the test and listen on the loopback.
package topology_test
