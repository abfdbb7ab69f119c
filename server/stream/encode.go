package stream

import (
	"strconv"
	"time"

	"github.com/grantd/grantd/server/voidkeys"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// maxKeys is how many void keys one event has at most.
const maxKeys = 256

// Reset is why a reader must drop what it has cached.
type Reset string

// The reasons.
const (
	// ResetUnknown: the position that the reader wants to go on from cannot be gone on
	// from.
	ResetUnknown Reset = "position_unknown"
	// ResetBehind: the reader did not take what happened in time.
	ResetBehind Reset = "behind"
	// ResetRecovered: the feed has recovered from a loss, or records are held back.
	ResetRecovered Reset = "recovered"
	// ResetRegistration: the registration of the reader has changed.
	ResetRegistration Reset = "registration"
	// ResetKeys: void keys and positions from before mean nothing now.
	ResetKeys Reset = "keys"
)

// ResetReasons lists the reasons.
var ResetReasons = []Reset{ResetUnknown, ResetBehind, ResetRecovered, ResetRegistration, ResetKeys}

// encoder encodes events.
type encoder struct{ keys *voidkeys.Encoder }

// appendHead appends the lines of an event before its data.
func (e encoder) appendHead(b []byte, event string, at store.Position) []byte {
	b = append(append(b, "event: "...), event...)
	b = e.keys.AppendPosition(append(b, "\nid: "...), at)
	return append(b, "\ndata: "...)
}

// appendVoids appends an event with the void keys of the principals, of which there
// are some, as of the position of the last one.
func (e encoder) appendVoids(b []byte, principals []string, at store.Position) []byte {
	b = append(e.appendHead(b, "void", at), `{"keys":["`...)
	for i, key := range principals {
		if i > 0 {
			b = append(b, `","`...)
		}
		b = e.keys.AppendKeyOf(b, key)
	}
	return append(b, "\"]}\n\n"...)
}

// appendFresh appends an event that says how old the copy of the feed was at the time
// at.
func (e encoder) appendFresh(b []byte, position store.Position, age, at time.Duration) []byte {
	b = append(e.appendHead(b, "fresh", position), `{"age_ms":`...)
	b = strconv.AppendInt(b, ceilMS(age), 10)
	b = append(b, `,"at_ms":`...)
	b = strconv.AppendInt(b, at.Milliseconds(), 10)
	return append(b, "}\n\n"...)
}

// appendReset appends an event that makes the reader drop what it has cached.
func (e encoder) appendReset(b []byte, why Reset, at store.Position) []byte {
	b = append(e.appendHead(b, "reset", at), `{"reason":"`...)
	return append(append(b, why...), "\"}\n\n"...)
}

// appendRegistration appends an event with what grantd knows of the resource server
// that reads. arrived is when its request did.
func appendRegistration(b []byte, rs *store.Client, arrived time.Duration) []byte {
	b = web.AppendString(append(b, "event: registration\ndata: {\"client_id\":"...), rs.ID)
	b = append(b, `,"token_uses":`...)
	b = appendUses(b, rs.TokenUses)
	b = append(b, `,"enforces":`...)
	b = web.AppendStrings(b, rs.Enforces)
	b = web.AppendString(append(b, `,"resource":`...), rs.Resource)
	b = append(b, `,"at_ms":`...)
	b = strconv.AppendInt(b, ceilMS(arrived), 10)
	return append(b, "}\n\n"...)
}

// appendUses appends the uses of the tokens that the resource server accepts.
func appendUses(b []byte, uses []store.TokenUse) []byte {
	if len(uses) == 0 {
		uses = []store.TokenUse{store.UseClient}
	}
	list := make([]string, len(uses))
	for i, use := range uses {
		list[i] = string(use)
	}
	return web.AppendStrings(b, list)
}

// appendRetry appends how long the reader waits before it opens another stream.
func appendRetry(b []byte, wait time.Duration) []byte {
	b = strconv.AppendInt(append(b, "retry: "...), ceilMS(wait), 10)
	return append(b, "\n\n"...)
}

// ceilMS rounds up, so that nothing looks younger than it is.
func ceilMS(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }
