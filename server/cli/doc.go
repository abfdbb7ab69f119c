// Package cli is the command line of grantd: its commands, flags, output and
// exit codes. Each file holds the commands of one noun. run.go assembles them,
// api.go calls the admin API, which most commands use, and output.go prints.
// The package importer imports customers from a file.
//
// The rules for clients and tokens are not here: the server has them, and the
// commands show its responses. main handles signals and ends the process.
package cli
