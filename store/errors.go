package store

import "errors"

// Errors that every implementation returns, wrapped with %w and the operation.
// Any other error is a defect of the implementation.
var (
	// ErrNotFound: there is no such record, or it has expired.
	ErrNotFound = errors.New("not found")
	// ErrExists: there already is a record with this id.
	ErrExists = errors.New("already exists")
	// ErrConflict: the record was changed since it was read (the compare-and-set
	// on its version failed). Read it again, then decide again.
	ErrConflict = errors.New("changed in the meantime")
	// ErrUnavailable: the store cannot be reached or cannot be written to. The
	// outcome of a write is unknown.
	ErrUnavailable = errors.New("store unavailable")
	// ErrExpired: the record to be written has already expired.
	ErrExpired = errors.New("already expired")
	// ErrWrong: the proof does not match.
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
