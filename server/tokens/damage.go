package tokens

import (
	"strconv"
	"strings"

	"github.com/grantd/grantd/server/credential"
)

// form is what every token of a kind looks like.
type form struct {
	prefix string
	length int
}

// forms returns the forms of this server's tokens. The one with the empty prefix, if
// there is one, comes last.
func (s *Service) forms() []form {
	var list []form
	for _, k := range keptKinds {
		prefix, length := k.form.Form(s.o.Environment)
		list = append(list, form{prefix, length})
	}
	for _, prefix := range []string{credential.AccessTokenPrefix(s.o.Environment), s.o.Keys.prefix} {
		list = append(list, form{prefix, len(prefix) + bodyLength})
	}
	return list
}

// The details of what is no token of this server. None repeats a part of it.
const (
	detailMadeUp = "not a token of this server: made up, or of another deployment"
	detailForm   = "it has the form of a token of this server, but its check is wrong: it was made up, a character changed in copying, or another deployment made it"
	detailKind   = "a credential of grantd, but not a token: a client secret, a client id or a verification token; if a secret was found where it should not be, use grantd leak"
)

// explainMalformed explains what was not made with a key of this server. The form
// tells what was copied in part; a keyed check tells the rest.
func (s *Service) explainMalformed(presented string) Explanation {
	damaged := func(detail string) Explanation { return Explanation{State: StateDamaged, Detail: detail} }
	if credential.IsOtherKind(presented) {
		return Explanation{State: StateMalformed, Detail: detailKind}
	}
	if detail := s.partOf(presented); detail != "" {
		return damaged(detail)
	}
	for _, f := range s.forms() {
		rest, ok := strings.CutPrefix(presented, f.prefix)
		if !ok && !strings.HasPrefix(f.prefix, presented) {
			continue
		}
		switch at := strings.IndexFunc(rest, notInToken); {
		case f.prefix == "" && (at >= 0 || len(rest) > f.length): // it could be anything
		case f.prefix == "" && len(rest) < f.length:
			return Explanation{State: StateMalformed, Detail: detailMadeUp + ", or cut off in copying: a token has " + strconv.Itoa(f.length) + " characters"}
		case ok && at >= 0:
			return damaged("damaged in copying: character " + strconv.Itoa(len(f.prefix)+at+1) + " is in no token")
		case len(presented) < f.length:
			return damaged("cut off in copying: it has " + strconv.Itoa(len(presented)) + " of " + strconv.Itoa(f.length) + " characters")
		case len(presented) > f.length:
			return damaged("damaged in copying: it has " + strconv.Itoa(len(presented)) + " characters, and a token has " + strconv.Itoa(f.length))
		default:
			return Explanation{State: StateMalformed, Detail: detailForm}
		}
	}
	return Explanation{State: StateMalformed, Detail: detailMadeUp}
}

// partOf returns what is wrong with a token of this server that was copied without its
// beginning, or with what is around it; "" if that is not the case.
func (s *Service) partOf(presented string) string {
	for _, f := range s.forms() {
		if start := strings.Index(presented, f.prefix); start >= 0 && len(presented)-start >= f.length {
			if _, ok := s.o.Keys.Read(presented[start : start+f.length]); ok {
				return "damaged in copying: a token of this server, with " + strconv.Itoa(len(presented)-f.length) + " characters too many around it"
			}
		}
		if n := len(presented) - bodyLength; f.prefix != "" && n >= 0 && strings.HasSuffix(f.prefix, presented[:n]) {
			if _, ok := s.o.Keys.Read(f.prefix + presented[n:]); ok {
				return "cut off in copying: its first " + strconv.Itoa(f.length-len(presented)) + " characters are missing"
			}
		}
	}
	return ""
}

// notInToken reports whether no token has the character after its prefix.
func notInToken(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
}
