// Package faults_test tells what happens when Redis is away, slow, full or
// not what it should be (contract §3: 503, never 401, never inactive), and
// that grantd is whole again soon after, without a restart.
package faults_test
