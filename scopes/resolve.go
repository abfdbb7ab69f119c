package scopes

// Resolve answers what a request is granted: the names it asks for, or the
// defaults if it asks for none.
//
//   - requested: the scope string of the request
//   - allowed, defaults: what the client may have; without defaults they are
//     all that is allowed but for the privileged ones (contract §4)
//
// A name outside allowed refuses the whole request: nothing is narrowed in
// silence. Errors: ErrTooLong, ErrSyntax, ErrUnknown, ErrRefused, ErrNone.
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

// defaults leaves out names that have gone from the catalogue since the
// client was made: they can no longer be granted.
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
