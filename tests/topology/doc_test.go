// Package topology_test tests two servers on Redis Sentinel and on a Redis
// Cluster. What one of them has acknowledged holds at the other, even while a
// master dies, a slot moves or the Cluster is down. What a failover has lost is
// written back or void. All Redis servers are real, are started by the test and
// listen on loopback.
package topology_test
