// Package service_test tests one server from outside, beyond the rules of the
// protocol:
//
//   - Limits: on failed client authentication (RFC 6749 §2.3.1), on tokens and
//     codes, and on the size of headers and bodies. The time of a refusal tells
//     a caller nothing (RFC 6749 §10.10, RFC 7662 §4).
//   - TLS: credentials never travel in plain HTTP (RFC 6749 §3.2), and behind a
//     proxy that terminates TLS only a trusted proxy is believed (RFC 9700
//     §4.13).
//   - Clients: popular OAuth clients of Go and Node work. Where the standards
//     leave a choice, grantd does what these clients expect.
//   - Customers: the bounds that the app guide promises hold.
//   - Metrics: each metric changes with what it counts.
//   - Secrets: TestSecretsOnEmbedded and TestSecretsOnRedis use credentials,
//     right ones and wrong ones, in every place where a caller might put one.
//     Then they search for them in the debug log, the metrics, the audit trail
//     and every byte that the store has written.
package service_test
