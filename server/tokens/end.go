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
	partner, length := credential.PartnerTokenForm(s.o.Environment)
	for _, f := range [...]form{{partner, length}, {s.o.Keys.prefix, len(s.o.Keys.prefix) + bodyLength}} {
		rest, ok := strings.CutPrefix(presented, f.prefix)
		if f.prefix != "" && ok && (len(presented) != f.length || strings.ContainsFunc(rest, notInToken)) {
			return refusal.Damaged
		}
	}
	return refusal.Malformed
}

// hiddenCauses are the causes of tokens that are active and not shown.
var hiddenCauses = map[Hidden]refusal.Cause{
	HiddenUse: refusal.HiddenUse, HiddenAudience: refusal.HiddenAud, HiddenEndpoints: refusal.HiddenPaths,
	HiddenResources: refusal.HiddenObjects, HiddenAddress: refusal.HiddenAddress,
}

// Cause returns the cause in one word.
func (h Hidden) Cause() refusal.Cause { return hiddenCauses[h] }

// refusedCauses are the causes of partner tokens that must not be used.
var refusedCauses = map[Refused]refusal.Cause{
	RefusedRevoked: refusal.Revoked, RefusedVoid: refusal.Void, RefusedDeactivated: refusal.Void, RefusedHeld: refusal.HeldBack,
	RefusedExpired: refusal.Expired, RefusedAddress: refusal.HiddenAddress,
}

// endOfPartner returns why the partner token must not be used.
func endOfPartner(p *PartnerToken, why Refused) End {
	end := End{Cause: refusedCauses[why], Made: true}
	switch why {
	case RefusedRevoked:
		end.At = *p.Token.RevokedAt
	case RefusedVoid:
		end.VoidOf, end.At = p.Void.Key, p.Void.At
	case RefusedDeactivated:
		end.VoidOf, end.At = store.PrincipalPartner(p.Partner.ID), *p.Partner.DeactivatedAt
	case RefusedExpired:
		end.At = p.Token.ExpiresAt
	}
	return end
}
