// Package clients_test runs OAuth clients that people really use, Go's and
// Node's, against grantd: what the standards leave open, they decide.
package clients_test
