// Package cli is the command line of grantd: commands, flags, what they print
// and the exit codes (contract §5). One file holds one noun; run.go puts them
// together, api.go calls the admin API that most of them are made of, and
// output.go prints.
//
// It holds no rules of clients and tokens: those are the server's, and the
// commands show its answers. Signals and the end of the process are main's.
package cli
