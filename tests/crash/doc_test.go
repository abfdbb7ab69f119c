// Package crash_test runs the grantd program on the embedded store and ends it in
// every way in which a process can end. Everything that it has acknowledged must
// be there at the next start.
package crash_test
