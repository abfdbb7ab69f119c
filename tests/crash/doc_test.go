// Package crash_test runs the grantd program itself on the embedded store and
// ends it in every way a process ends: what it acknowledged is there at the
// next start.
package crash_test
