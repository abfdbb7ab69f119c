// Package notices tells the operator's webhook what somebody should look at: what ends
// or is unused, what was locked, refused, leaked or lost. It owns which events become a
// notice, the queue that all replicas share, and how it is sent: at least once, by one
// replica at a time. NOTICES.md describes the notices to their receiver.
//
// It decides nothing, and no notice holds a secret, a token or a phone number.
package notices
