// Package attack runs what strangers and greedy clients do to a server, one
// attack after another, against a grantd with TLS on a real Redis. Meanwhile a
// client that behaves well issues and introspects tokens. Every one of its requests
// must get 200, and the memory of grantd stays within its bound. All attacks are
// on loopback, from addresses of 127.0.0.0/8, and bounded in time and count.
//
// The tests have the build tag attack: `make test` runs them alone, after all others,
// because they would attack what runs beside them too.
//
// `make attack` runs each attack for longer, and also compares how long the
// well-behaved client waits with how long it waits at rest.
package attack
