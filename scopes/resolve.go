package scopes

// Resolve returns the scopes that a request is granted: the names it requests,
// or the defaults if it requests none.
//
//   - requested: the scope string of the request
//   - allowed: the scopes that the client may have
//   - defaults: the scopes for a request without any; if empty, all allowed ones
//     except privileged ones
//
// If a requested name is not allowed, the whole request is refused; the scope is
// never narrowed silently. Errors: ErrTooLong, ErrSyntax, ErrUnknown, ErrRefused, ErrNone.
func (c *Catalogue) Resolve(requested string, allowed, defaults []string) ([]string, error) {
	set, err := c.Parse(requested)
	if err != nil {
		return nil, err
	}
	if len(set) == 0 {
		return c.defaults(allowed, defaults)
	}
	if !Subset(set, allowed) {
		return nil, ErrRefused
	}
	return set, nil
}

// defaults omits names that were removed from the catalog after the client was
// created: they can no longer be granted.
func (c *Catalogue) defaults(allowed, defaults []string) ([]string, error) {
	var set []string
	for _, n := range allowed {
		if len(defaults) == 0 && !Privileged(n) && c.Unknown([]string{n}) == "" {
			set = append(set, n)
		}
	}
	for _, n := range defaults {
		if Subset([]string{n}, allowed) && c.Unknown([]string{n}) == "" {
			set = append(set, n)
		}
	}
	if len(set) == 0 {
		return nil, ErrNone
	}
	return set, nil
}
