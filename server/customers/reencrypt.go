package customers

import (
	"context"
	"errors"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/phonekeys"
	"github.com/grantd/grantd/store"
)

// Reencryption is the body of one call of the re-encryption.
type Reencryption struct {
	Cursor string `json:"cursor"` // the next_cursor of the call before; "": from the start
}

// Reencrypted is the response to one call of the re-encryption.
type Reencrypted struct {
	Checked    int `json:"checked"`    // records that the call has seen
	Encrypted  int `json:"encrypted"`  // records that it has written again
	Unreadable int `json:"unreadable"` // records that it left, because a key is missing
	// UnreadableID is one of the customers whose numbers cannot be read.
	UnreadableID string `json:"unreadable_id,omitempty"`
	NextCursor   string `json:"next_cursor,omitempty"`
}

var (
	errNoKeys = apierr.New(apierr.Conflict, "customers.phone_key_file is not set: there is no key to encrypt phone numbers with")
	errCursor = apierr.Member("cursor", "cursor is the next_cursor of the call before")
	errBusy   = apierr.New(apierr.Conflict, "someone else changed the same customer again and again: try again")
)

// targetAll is the target of an event about customers as a whole.
const targetAll = "customers"

// Reencrypt encrypts the phone numbers that are in clear text or under an old key.
// A call works for some seconds; the caller repeats it with its NextCursor. It
// changes nothing else of a record. A call that wrote something, or failed, is
// audited.
// Errors: apierr.InvalidRequest, Conflict; store.ErrUnavailable.
func (s *Service) Reencrypt(ctx context.Context, by audit.Actor, r Reencryption) (Reencrypted, error) {
	if r.Cursor != "" && !field.ValidID(r.Cursor) {
		return Reencrypted{}, errCursor
	}
	done, err := s.o.Phones.Reencrypt(ctx, r.Cursor)
	switch {
	case errors.Is(err, phonekeys.ErrNoKeys):
		err = errNoKeys
	case errors.Is(err, store.ErrConflict):
		err = errBusy.Because(err)
	}
	out := Reencrypted{Checked: done.Checked, Encrypted: done.Encrypted, Unreadable: done.Unreadable, UnreadableID: done.UnreadableID, NextCursor: done.Next}
	if err != nil || out.Encrypted > 0 {
		ch := audit.Change{Actor: by, Action: store.CustomerKind.Name + ".reencrypt", Target: targetAll, Outcome: audit.OutcomeOf(err)}
		if out.Checked > 0 {
			ch.After = out
		}
		s.o.Audit.Write(ctx, ch)
	}
	if err != nil {
		return Reencrypted{}, err
	}
	return out, nil
}
