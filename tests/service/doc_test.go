// Package service_test tests one grantd from outside, in what the protocol
// leaves to it:
//
//   - what it does with too much: failed client authentication, too many
//     tokens, large headers and bodies, and what a caller may learn from the
//     time that a refusal takes;
//   - what the listeners do over TLS, and what a listener behind a proxy that
//     ends TLS accepts from it;
//   - OAuth clients that people really use, Go's and Node's: what the standards
//     leave open, they decide;
//   - that credentials show nowhere. TestSecretsOnEmbedded and
//     TestSecretsOnRedis use credentials, right ones and wrong ones, in every place where somebody might put one,
//     and then look for them: in the log at its most talkative, in the metrics,
//     in the audit, and in every byte that the store wrote.
package service_test
