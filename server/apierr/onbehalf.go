package apierr

import "errors"

// Reasons why a partner gets no token on behalf of an org. Two endpoints make
// such tokens, and each has its own code and words for them.
var (
	// ErrPartnerToken: the partner token is not active, or must not be used
	// from the caller's address.
	ErrPartnerToken = errors.New("partner token not usable")
	// ErrNotAgreed: the org has not agreed that the partner acts for it.
	ErrNotAgreed = errors.New("org has not agreed")
	// ErrNotGranted: the partner asked for scopes that it may not have, or has
	// none left.
	ErrNotGranted = errors.New("scope not granted")
)
