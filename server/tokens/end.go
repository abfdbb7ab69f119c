package tokens

import (
	"strings"
	"time"

	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/store"
)

// End is why a token is not active, as far as it is known without another look into
// the store. It is for the log.
type End struct {
	Cause  refusal.Cause
	VoidOf string    // the principal whose void ended it
	At     time.Time // when it ended; zero if that is not known
	Made   bool      // grantd made the token: it has a jti
}

// endOf returns why the token, which has a record, is not active.
func (s *Service) endOf(d store.Digest, t *store.Token) End {
	x := Explanation{}
	s.explainState(&x, d, t)
	end := End{Cause: causeOfState(x.State), VoidOf: x.VoidOf, Made: true}
	if x.EndedAt != nil {
		end.At = *x.EndedAt
	}
	return end
}

// endOfAbsent is endOf for a token that grantd made and that has no record. Its record
// may be gone although its end, which the token holds to the minute, is not reached.
func (s *Service) endOfAbsent(d store.Digest, end time.Time) End {
	if entry, void := s.o.Feed.VoidedKey(store.PrincipalToken(d), store.Position{}); void {
		return End{Cause: refusal.Revoked, At: entry.At, Made: true}
	}
	if end.Sub(s.o.Now()) <= time.Minute {
		return End{Cause: refusal.Expired, Made: true}
	}
	return End{Cause: refusal.Lost, Made: true}
}

// states are the causes of the states that a token with a record has.
var states = map[State]refusal.Cause{
	StateExpired: refusal.Expired, StateRevoked: refusal.Revoked, StateVoid: refusal.Void, StateHeldBack: refusal.HeldBack,
	StateLost: refusal.Lost, StateForeign: refusal.Foreign, StateDamaged: refusal.Damaged, StateMalformed: refusal.Malformed,
	StateUnreadableRecord: refusal.Unreadable,
}

func causeOfState(state State) refusal.Cause { return states[state] }

// causeOfForm returns why what was presented is no token of this server, by its form
// alone: explainMalformed tells more, and costs more.
func (s *Service) causeOfForm(presented string) refusal.Cause {
	if credential.OtherEnvironment(presented, s.o.Environment) {
		return refusal.Foreign
	}
	if credential.IsOtherKind(presented) {
		return refusal.OtherKind
	}
	if scheme, _, ok := strings.Cut(presented, " "); ok && strings.EqualFold(scheme, "Bearer") {
		return refusal.WithScheme
	}
	for _, k := range keptKinds {
		if prefix, length := k.form.Form(s.o.Environment); isDamaged(presented, prefix, length) {
			return refusal.Damaged
		}
	}
	if isDamaged(presented, s.o.Keys.prefix, len(s.o.Keys.prefix)+bodyLength) {
		return refusal.Damaged
	}
	return refusal.Malformed
}

// isDamaged reports whether what was presented begins as a token of the form, and is
// none.
func isDamaged(presented, prefix string, length int) bool {
	rest, ok := strings.CutPrefix(presented, prefix)
	return prefix != "" && ok && (len(presented) != length || strings.ContainsFunc(rest, notInToken))
}

// hiddenCauses are the causes of tokens that are active and not shown.
var hiddenCauses = map[Hidden]refusal.Cause{
	HiddenUse: refusal.HiddenUse, HiddenOrg: refusal.HiddenOrg, HiddenAudience: refusal.HiddenAud, HiddenEndpoints: refusal.HiddenPaths,
	HiddenResources: refusal.HiddenObjects, HiddenAddress: refusal.HiddenAddress,
}

// Cause returns the cause in one word.
func (h Hidden) Cause() refusal.Cause { return hiddenCauses[h] }
