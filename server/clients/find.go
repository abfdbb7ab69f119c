package clients

import (
	"context"
	"fmt"

	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/store"
)

// FindSecrets returns the generated secrets, live or ended, among the plain values,
// by their value. It searches all clients once, for the rare case of a leak.
func (s *Service) FindSecrets(ctx context.Context, plain ...string) (map[string]secretwatch.Credential, error) {
	found := map[string]secretwatch.Credential{}
	wanted := map[string][]string{} // by the id inside
	for _, p := range plain {
		if id, ok := credential.SecretID(p, s.o.Environment); ok {
			wanted[id] = append(wanted[id], p)
		}
	}
	const atOnce = 500
	for after := ""; len(wanted) > 0; {
		page, err := s.o.Store.List(ctx, store.Page{After: after, Limit: atOnce})
		if err != nil {
			return nil, err
		}
		for i := range page {
			s.matchSecrets(&page[i], wanted, found)
			after = page[i].ID
		}
		if len(page) < atOnce {
			break
		}
	}
	return found, nil
}

// matchSecrets adds the client's secrets that are wanted to found.
func (s *Service) matchSecrets(c *store.Client, wanted map[string][]string, found map[string]secretwatch.Credential) {
	for i, secret := range c.Secrets {
		for _, p := range wanted[secret.ID] {
			if credential.Matches(secret.Hash, p) {
				found[p] = secretwatch.SecretsOf(c, s.o.Now())[i]
			}
		}
	}
}

// FindImported returns the client's imported secrets, live or ended, that plain
// matches. Each takes a slow check. One call at a time checks.
// Errors: apierr.NotFound, store.ErrUnavailable.
func (s *Service) FindImported(ctx context.Context, id, plain string) (found []secretwatch.Credential, err error) {
	c, err := s.Registry.Get(ctx, id)
	if err != nil || len(plain) > credential.MaxLength {
		return nil, err
	}
	if err := s.checking.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("waiting for a secret check: %w: %w", err, store.ErrUnavailable)
	}
	defer s.checking.Release(1)
	known := secretwatch.SecretsOf(&c, s.o.Now())
	for i, secret := range c.Secrets {
		if credential.IsImported(secret.Hash) && ctx.Err() == nil && credential.MatchesImported(secret.Hash, plain) {
			found = append(found, known[i])
		}
	}
	return found, ctx.Err()
}
