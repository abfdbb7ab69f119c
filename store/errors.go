package store

import "errors"

// Errors that every implementation answers with, wrapped with %w and the
// operation. Anything else is a defect of the implementation.
var (
	// ErrNotFound: there is no such record, or its life has ended.
	ErrNotFound = errors.New("not found")
	// ErrExists: a record with this id is there already.
	ErrExists = errors.New("exists already")
	// ErrConflict: the record was changed since it was read (compare-and-set
	// on its version failed). Read it again, then decide again.
	ErrConflict = errors.New("changed in the meantime")
	// ErrUnavailable: the store cannot be reached or cannot be written. The
	// outcome of a write is unknown.
	ErrUnavailable = errors.New("store unavailable")
	// ErrExpired: a record was to be written whose life is over already.
	ErrExpired = errors.New("already expired")
	// ErrWrong: what was to be proven was not.
	ErrWrong = errors.New("wrong")
	// ErrFeedLost: the feed no longer holds the entry at the given position:
	// the store lost its newest entries, or was replaced.
	ErrFeedLost = errors.New("feed lost entries")
	// ErrUnknownRecord: a stored record has a version or a critical field
	// that this program does not know. It must be treated as inactive.
	ErrUnknownRecord = errors.New("record of a newer version")
	// ErrForeign: the store belongs to another environment or issuer.
	ErrForeign = errors.New("store of another environment or issuer")
	// ErrNewerFormat: the store was written by a newer grantd.
	ErrNewerFormat = errors.New("store of a newer version")
	// ErrUnsuitable: the store's own settings would lose records (an evicting
	// Redis, a version that is too old).
	ErrUnsuitable = errors.New("store not suitable")
)
