// Package protocol_test holds grantd to the RFCs and to contract §3, from
// outside: raw requests against a whole server. Each row bears the id of its
// case in rfc-cases.md; cases_test.go fails if one has no row. What every
// response and every error must have is checked in one place, response_test.go,
// on every row; what no log, store and audit may hold, in world_test.go, at the
// end of every test.
package protocol_test
