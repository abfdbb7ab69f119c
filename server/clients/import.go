package clients

import (
	"context"
	"errors"
	"slices"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/imports"
	"github.com/grantd/grantd/store"
)

// Import is the body of one call of the import.
type Import struct {
	Clients []ImportLine `json:"clients"`
	Check   bool         `json:"check"` // only report what would happen
}

// ImportLine is one client of an import, with its id and the hashes of the secrets
// that it has elsewhere.
type ImportLine struct {
	NewSpec
	// SecretHashes is SecretHash for several secrets, which all work. The last is
	// the current one.
	SecretHashes []string `json:"secret_hashes"`
}

var (
	errImport   = bad("clients", "clients is a list of 1 to 100 clients")
	errNoID     = bad("client_id", "client_id is missing: a client that is imported keeps its id")
	errNoHash   = bad("secret_hash", "secret_hash is missing: a client that is imported keeps its secret. To make a client with a new secret use grantd client create")
	errTwoLists = bad("secret_hashes", "secret_hash and secret_hashes are both given: use one of them")
	errHashes   = bad("secret_hashes", "secret_hashes is a list of 1 to 5 different hashes")
	errCosts    = bad("secret_hashes", "secret_hashes together take too long to check: they must cost no more than two of the slowest hashes that are accepted, such as bcrypt of cost 12. Leave out those that nobody uses any more")
)

// Import makes each of the clients, or with Check only reports what it would do. It
// changes no client that exists: one that the line describes is reported as
// unchanged, so a call can be repeated, and any other is refused. A failure of the
// store ends the call.
// Errors: apierr.InvalidRequest, store.ErrUnavailable.
func (s *Service) Import(ctx context.Context, by audit.Actor, in Import) (imports.Response, error) {
	orgs := map[string]knownOrg{}
	return imports.Each(in.Clients, errImport, func(line ImportLine) (string, error) {
		return s.importLine(ctx, by, line, orgs, in.Check)
	})
}

// knownOrg is what findOrg returned for a line before.
type knownOrg struct {
	incarnation uint64
	err         error
}

// importLine makes one client. orgs holds the orgs of earlier lines.
func (s *Service) importLine(ctx context.Context, by audit.Actor, line ImportLine, orgs map[string]knownOrg, check bool) (string, error) {
	c, err := s.buildImported(line)
	if err != nil {
		return imports.Refused, err
	}
	if c.OrgID != "" {
		of, known := orgs[c.OrgID]
		if !known {
			of.incarnation, of.err = s.findOrg(ctx, c.OrgID)
			orgs[c.OrgID] = of
		}
		if of.err != nil {
			return imports.Refused, of.err
		}
		c.OrgIncarnation = of.incarnation
	}
	switch found, err := s.o.Store.Get(ctx, c.ID); {
	case err == nil:
		return imports.Unchanged, differs(found, c)
	case !errors.Is(err, store.ErrNotFound):
		return imports.Refused, err
	case check:
		return imports.Created, nil
	}
	err = s.Registry.Create(ctx, by, c)
	s.Registry.Audit(ctx, by, c.ID, audit.Change{Action: "create", After: viewAt(c, s.o.Now())}, err)
	return imports.Created, err
}

// buildImported returns the record that the line describes.
func (s *Service) buildImported(line ImportLine) (store.Client, error) {
	if line.ClientID == "" {
		return store.Client{}, errNoID
	}
	c, err := s.record(line.NewSpec)
	if err != nil {
		return c, err
	}
	hashes, field := line.SecretHashes, "secret_hashes"
	switch {
	case hashes == nil && line.SecretHash == "":
		return c, errNoHash
	case hashes == nil:
		hashes, field = []string{line.SecretHash}, "secret_hash"
	case line.SecretHash != "":
		return c, errTwoLists
	case len(hashes) == 0 || len(hashes) > MaxLiveSecrets:
		return c, errHashes
	}
	cost := 0
	for _, hash := range hashes {
		secret, err := importedSecret(field, hash)
		if err != nil {
			return c, err
		}
		if slices.ContainsFunc(c.Secrets, func(s store.Secret) bool { return s.Hash == secret.Hash }) {
			return c, errHashes
		}
		if cost += credential.ImportedCost(secret.Hash); cost > credential.MaxImportedCost {
			return c, errCosts
		}
		secret.CreatedAt = c.CreatedAt
		c.Secrets = append(c.Secrets, secret)
	}
	return c, nil
}

// importedSecret returns the secret with a hash that another system made. field is
// where it was given.
func importedSecret(field, hash string) (store.Secret, error) {
	kept, err := credential.ParseImported(hash)
	if err != nil {
		return store.Secret{}, bad(field, field+" "+err.Error())
	}
	return store.Secret{ID: credential.NewID(), Hash: kept}, nil
}

// differs returns nil if the client that was found is the one that an import
// describes, and otherwise an error at the first member that differs. The secrets of
// the import may have ended since, and others may have been added.
func differs(found, c store.Client) error {
	a, b := view(found), view(c)
	for _, m := range []struct {
		name string
		same bool
	}{
		{"org_id", a.OrgID == b.OrgID && found.OrgIncarnation == c.OrgIncarnation},
		{"name", a.Name == b.Name},
		{"scope", a.Scope == b.Scope},
		{"default_scope", a.DefaultScope == b.DefaultScope},
		{"token_ttl", found.TokenTTL == c.TokenTTL},
		{"issue_limit", found.IssueLimit == c.IssueLimit},
		{"auth_methods", slices.Equal(a.AuthMethods, b.AuthMethods)},
		{"source_ips", slices.Equal(a.SourceIPs, b.SourceIPs)},
		{"bind_source_ip", a.BindSourceIP == b.BindSourceIP},
		{"resources", slices.Equal(a.Resources, b.Resources)},
		{"token_uses", slices.Equal(a.TokenUses, b.TokenUses)},
		{"enforces", slices.Equal(a.Enforces, b.Enforces)},
		{"resource", a.Resource == b.Resource},
		{"secret_hash", !slices.ContainsFunc(c.Secrets, func(s store.Secret) bool { return !hasHash(found, s.Hash) })},
	} {
		if !m.same {
			return bad(m.name, "there is a client with this id, and it differs: an import changes no client. Leave the line out, or change one of the two")
		}
	}
	return nil
}

func hasHash(c store.Client, hash string) bool {
	return slices.ContainsFunc(c.Secrets, func(s store.Secret) bool {
		return credential.IsImported(s.Hash) && credential.SameImported(s.Hash, hash)
	})
}
