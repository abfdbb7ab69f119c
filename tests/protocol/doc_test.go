// Package protocol_test holds grantd to the RFCs and to its own guides from
// outside: it sends raw requests to a whole server. The name of each row begins
// with the rule that it tests. rules_test.go lists the rules, and cases_test.go
// fails if one has no row. response_test.go checks on every row what every
// response and every error must have. world_test.go checks at the end of every
// test what no log, store or audit trail may hold.
package protocol_test
