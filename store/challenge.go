package store

import "time"

// Challenge is a verification that waits for its code. The store sees neither
// the verification token nor the code. It keeps the challenge under the digest
// of the token, with a proof that can be computed only from both.
type Challenge struct {
	Proof     Digest // HMAC of what is verified, under the verification token
	Tries     int    // how many tries it allows; at least 1
	ExpiresAt time.Time
}

// Guesses is how many wrong codes a customer has sent. A code that is being
// checked counts as wrong.
type Guesses struct {
	Today int       // in the window that began at Since
	Since time.Time // zero: no window is open
	InRow int       // since the last right code, or since a reset
}

// Current returns the counts at the time now. It leaves out what was counted
// in a window that has passed.
func (g Guesses) Current(now time.Time, window time.Duration) Guesses {
	if g.Today == 0 || now.Sub(g.Since) >= window {
		g.Today, g.Since = 0, time.Time{}
	}
	return g
}

// GuessBounds are how many wrong codes a customer may send.
type GuessBounds struct {
	Window time.Duration // of Today; it starts with the first wrong code
	Today  int
	InRow  int
}
