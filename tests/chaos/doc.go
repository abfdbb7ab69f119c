// Package chaos breaks things while grantd works, and checks afterward that
// nothing that was acknowledged is lost, and that nothing that has ended lives.
//
// Each fault has a lab: grantd processes on a Redis, on Redis with Sentinel, or on
// the embedded store. Workers create and end clients, secrets, tokens, orgs,
// customers, partners and grants at random (operations), and write down what was
// acknowledged (history). A round lets them work, makes the fault happen
// meanwhile (faults), waits until grantd works again, and compares (check):
//
//   - lost: something that was acknowledged, and that does not work afterward.
//   - late: a token that is active longer than cache.max_staleness and some slack
//     after the response that said that it has ended.
//   - ended alive: a secret, client, org, customer, partner, partner token, grant,
//     scope or code that gets something although its end was acknowledged.
//
// A fault may take what is newest: a Redis that fsyncs every second, a failover,
// and an older copy of the store lose what was created last. That is not counted
// as lost. Ends are never excused, with one exception: if the store came back
// older and no replica was there to know it, everything is held back until an
// operator releases it with `grantd store doctor`, and what has ended since the copy
// is known to nobody.
//
// The tests have the build tag chaos. `make chaos` runs 20 rounds of each fault.
// `make test` runs one round of each, after everything that measures.
package chaos
