package store

import "time"

// Challenge is a verification that waits for its code. The store sees neither
// the verification token nor the code: it keeps the challenge under the digest
// of the one, with a proof that only who has both can make.
type Challenge struct {
	Proof     Digest // HMAC of what is verified, under the verification token
	Tries     int    // wrong ones that it survives and one; at least 1
	ExpiresAt time.Time
}

// Guesses is how many wrong codes a customer has had. One that is being
// looked at counts as wrong.
type Guesses struct {
	Today int       // in the window that began at Since
	Since time.Time // zero: no window is open
	InRow int       // since the last right one, or since it was reset
}

// At answers where the counts stand at the time now: what was wrong in a
// window that has passed is not counted.
func (g Guesses) Current(now time.Time, window time.Duration) Guesses {
	if g.Today == 0 || now.Sub(g.Since) >= window {
		g.Today, g.Since = 0, time.Time{}
	}
	return g
}

// GuessBounds are how many wrong codes a customer may have.
type GuessBounds struct {
	Window time.Duration // of Today, from its first wrong code
	Today  int
	InRow  int
}
