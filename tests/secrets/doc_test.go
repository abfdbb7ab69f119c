// Package secrets lives through a whole story of credentials, right ones and
// wrong ones, in every place where somebody might put one, and then looks for
// them: in the log at its most talkative, in the metrics, in the audit, and in
// every byte that the store wrote. It knows no other rule than that none is
// there.
package secrets
