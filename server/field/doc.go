// Package field reads and checks the values that callers send: ids, address
// ranges, names and durations. It says what a value must look like, not what it
// may be used for.
package field
