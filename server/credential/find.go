package credential

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
)

// maxBasic bounds the base64 of a Basic header that Find decodes, in bytes.
const maxBasic = 4096

// basic matches the value of an Authorization header, which hides a secret.
var basic = regexp.MustCompile(`(?i)basic +([A-Za-z0-9+/_-]{20,}={0,2})`)

// Candidate is a part of a text that has the form of a credential.
type Candidate struct {
	Value string
	End   int // the index in the text after which the search can go on
}

// Find returns the parts of the text that have the form of a credential or a token of
// either environment, or of a token with the given prefix, in their order and each
// once. It also looks into Basic headers. A prefix "" means that tokens have none.
// Nothing says yet that a candidate is genuine.
func Find(text, tokenPrefix string) []Candidate {
	list := findPlain(text, tokenPrefix)
	for _, m := range basic.FindAllStringSubmatchIndex(text, -1) {
		encoded := text[m[2]:m[3]]
		if len(encoded) > maxBasic {
			continue
		}
		encoded = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(encoded, "="))
		decoded, err := base64.RawStdEncoding.DecodeString(encoded)
		if err != nil {
			continue
		}
		for _, c := range findPlain(string(decoded), tokenPrefix) {
			list = append(list, Candidate{c.Value, m[3]})
		}
	}
	slices.SortStableFunc(list, func(a, b Candidate) int { return a.End - b.End })
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(c Candidate) bool {
		twice := seen[c.Value]
		seen[c.Value] = true
		return twice
	})
}

// findPlain is Find without a look into Basic headers. What it finds may repeat.
func findPlain(text, tokenPrefix string) (list []Candidate) {
	for at := 0; at < len(text); {
		n := formAt(text[at:], tokenPrefix)
		if n == 0 && tokenPrefix == "" && !isBodyChar(before(text, at)) {
			if run := bodyRun(text[at:]); run == bodyLength {
				n = run
			} else if run > 0 && !strings.Contains(text[at:at+run], "g") {
				at += run // nothing inside can begin a credential
				continue
			}
		}
		if n == 0 {
			at++
			continue
		}
		list = append(list, Candidate{text[at : at+n], at + n})
		at += n
	}
	return list
}

// formAt returns the length of the credential that the text begins with; 0: none.
func formAt(text, tokenPrefix string) int {
	if tokenPrefix != "" && strings.HasPrefix(text, tokenPrefix) && bodyRun(text[len(tokenPrefix):]) >= bodyLength {
		return len(tokenPrefix) + bodyLength
	}
	if len(text) < shortest || text[0] != 'g' {
		return 0
	}
	for _, prefix := range prefixes {
		for _, environment := range environments {
			p := prefix + environment + "_"
			if !strings.HasPrefix(text, p) {
				continue
			}
			n := len(p)
			if hasID(prefix) {
				if len(text) < n+idLength+1 || !IsID(text[n:n+idLength]) || text[n+idLength] != '_' {
					return 0
				}
				n += idLength + 1
			}
			if bodyRun(text[n:]) < bodyLength {
				return 0
			}
			return n + bodyLength
		}
	}
	return 0
}

// hasID reports whether the id follows in credentials with the prefix.
func hasID(prefix string) bool {
	return prefix == clientSecret || prefix == string(PartnerToken) || prefix == string(APIKey)
}

// bodyRun returns how many characters of base64url the text begins with.
func bodyRun(text string) int {
	for i := range len(text) {
		if !isBodyChar(text[i]) {
			return i
		}
	}
	return len(text)
}

func isBodyChar(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

func before(text string, at int) byte {
	if at == 0 {
		return ' '
	}
	return text[at-1]
}

// shownOfBody is how many characters of the random part Mask shows.
const shownOfBody = 4

// Mask returns the beginning of a credential that Find has found, enough to find the
// place again and far too little to use it.
func Mask(value string) string {
	return value[:max(len(value)-bodyLength, 0)+min(shownOfBody, len(value))] + "…"
}
