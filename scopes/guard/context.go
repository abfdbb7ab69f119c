package guard

import "context"

// tokenKey is the key of the token in a context.
type tokenKey struct{}

// withToken is a context with the token of a request. It takes one allocation, where
// context.WithValue and a value with two parts would take more.
type withToken struct {
	context.Context
	token     *Token
	challenge *challenge // of the guard that checked it
}

// Value implements context.Context.
func (c *withToken) Value(key any) any {
	if _, ok := key.(tokenKey); ok {
		return c
	}
	return c.Context.Value(key)
}

// NewContext returns a context in which FromContext finds the token. The middleware
// calls it. Call it yourself after Guard.Check, as in a gRPC interceptor, and in the
// tests of your handlers.
func NewContext(ctx context.Context, t *Token) context.Context {
	return &withToken{ctx, t, plainChallenge}
}

// FromContext returns the token of the request. ok is false if no middleware of this
// package let the request through.
func FromContext(ctx context.Context) (t *Token, ok bool) {
	if c, ok := ctx.Value(tokenKey{}).(*withToken); ok && c.token != nil {
		return c.token, true
	}
	return nil, false
}
