package guard

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Require returns middleware that serves a request only if its bearer token is active,
// is of a client (UseClient), and has all the scopes. The handler finds the token with
// FromContext. Everything else is refused, as Refuse does.
//
// It panics if a scope is not one scope name, or if Config.TokenUses lacks UseClient.
func (g *Guard) Require(scopes ...string) func(http.Handler) http.Handler {
	return g.RequireUse(nil, scopes...)
}

// RequireUse is Require for tokens of the uses, of which Config.TokenUses must have
// all. A handler that serves customers, partners or keys must look at Token.Use first: a
// customer's token reaches one customer, and one of a client its whole org.
func (g *Guard) RequireUse(uses []string, scopes ...string) func(http.Handler) http.Handler {
	need := g.needOf(uses, scopes)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			checked, err := g.admit(w, r, need)
			if err != nil {
				g.Refuse(w, err)
				return
			}
			next.ServeHTTP(w, checked)
		})
	}
}

// needOf returns what a route needs. It panics if the route could never be served:
// such a mistake must be seen at the start.
func (g *Guard) needOf(uses, scopes []string) Need {
	if len(uses) == 0 {
		uses = defaultUses
	}
	for _, use := range uses {
		if !slices.Contains(g.rules.uses, use) {
			panic(fmt.Sprintf("guard: a route needs tokens of use %q, which Config.TokenUses (%s) does not have", use, strings.Join(g.rules.uses, ", ")))
		}
	}
	for _, scope := range scopes {
		if !validScope(scope) {
			panic(fmt.Sprintf("guard: %q is not a scope; several scopes are several arguments", scope))
		}
	}
	return Need{Scopes: slices.Clone(scopes), TokenUses: slices.Clone(uses)}
}

// admit checks the token of a request, and returns the request with the token in its
// context. The error is for Refuse. What the handler sends is for the holder of the
// token alone, so shared caches must not keep it, unless the handler, or middleware
// before, says otherwise.
func (g *Guard) admit(w http.ResponseWriter, r *http.Request, need Need) (*http.Request, error) {
	token, refusal := readBearer(r, need.Scopes)
	if refusal != nil {
		return nil, refusal
	}
	need.Method, need.Path, need.SourceIP = r.Method, pathOf(r), g.addressOf(r)
	t, err := g.Check(r.Context(), token, need)
	if err != nil {
		return nil, err
	}
	if h := w.Header(); h["Cache-Control"] == nil {
		h["Cache-Control"] = privateOnly
	}
	return r.WithContext(&withToken{r.Context(), t, g.challenge}), nil
}

// Refuse responds to a request that a check refused: err is the error of Check.
// Anything else becomes a 503, as does a check that could not be made.
// Callers see the code and the description, never the cause.
func (g *Guard) Refuse(w http.ResponseWriter, err error) { g.challenge.refuse(w, err) }

// privateOnly is the value of a header. It is never changed.
var privateOnly = []string{"private"}

// addressOf returns the caller's address by Config.ClientIP, or the zero Addr.
func (g *Guard) addressOf(r *http.Request) netip.Addr {
	if g.cfg.ClientIP == nil {
		return netip.Addr{}
	}
	return g.cfg.ClientIP(r)
}

// pathOf returns the path as the caller sent it, escaped: before a router or
// http.StripPrefix changed it, also if the caller sent a whole URL (RFC 9112 §3.2.2). It
// returns "", which passes no token that is restricted to endpoints, if there is no path.
func pathOf(r *http.Request) string {
	sent := r.RequestURI
	switch {
	case sent == "": // the request came from no server
		return r.URL.EscapedPath()
	case strings.HasPrefix(sent, "/"):
		path, _, _ := strings.Cut(sent, "?")
		return path
	}
	u, err := url.ParseRequestURI(sent)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.EscapedPath()
}

// MaxAge returns middleware for actions that are dangerous in the hands of somebody
// else: the customer must have entered a code at most d ago. If not, the caller is told
// to ask for one (RFC 9470). It goes inside of Require or RequireUse, and panics unless d
// is at least a second.
func MaxAge(d time.Duration) func(http.Handler) http.Handler {
	if d < time.Second {
		panic("guard: MaxAge needs at least one second")
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, _ := r.Context().Value(tokenKey{}).(*withToken)
			if c == nil || c.token == nil { // MaxAge is not inside of Require
				plainChallenge.refuse(w, noCredentials(""))
			} else if refusal := c.token.judgeAge(d); refusal != nil {
				c.challenge.refuse(w, refusal)
			} else {
				next.ServeHTTP(w, r)
			}
		})
	}
}
