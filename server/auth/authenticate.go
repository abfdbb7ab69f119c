package auth

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

// Recorder takes note of authentications; it must not block.
type Recorder interface {
	Used(clientID, secretID string, from netip.Addr)
	Failed(clientID string, from netip.Addr)
}

// Options are what an Authenticator needs.
type Options struct {
	Environment string
	Clients     *ClientCache
	Recorder    Recorder
	Now         func() time.Time
}

// Authenticator checks client credentials.
type Authenticator struct {
	o    Options
	slow *slowHashes
	// decoy is compared where there is no hash to compare with, so that an
	// unknown client costs what a wrong secret costs.
	decoy string
}

// New makes an Authenticator.
func New(o Options) *Authenticator {
	plain, _, _ := NewSecret(o.Environment)
	return &Authenticator{o: o, slow: newSlowHashes(), decoy: hashGenerated(plain)}
}

// Identity is an authenticated client.
type Identity struct {
	Client    *store.Client // shared: not to be changed
	SecretID  string
	OldSecret bool // a newer secret exists: it is being rotated away
	// View is the feed's before anything was read.
	View feed.View
}

// Authenticate checks the credentials of a caller at the address from.
// Errors: fault.InvalidClient (one answer for unknown, deactivated, wrong,
// ended, pinned to another method, wrong address), store.ErrUnavailable.
func (a *Authenticator) Authenticate(ctx context.Context, c Credentials, from netip.Addr) (Identity, error) {
	client, view, err := a.o.Clients.Get(ctx, c.ClientID)
	if err != nil {
		return Identity{}, err
	}
	secret, err := a.match(ctx, client, c)
	if err != nil {
		return Identity{}, err
	}
	if client == nil {
		return Identity{}, errFailed
	}
	if secret == nil || !admitted(client, c.Method, from) {
		a.o.Recorder.Failed(client.ID, from)
		return Identity{}, errFailed
	}
	a.o.Recorder.Used(client.ID, secret.ID, from)
	return Identity{Client: client, SecretID: secret.ID, OldSecret: isOld(client, secret), View: view}, nil
}

// match answers the live secret that was presented, or nil. A generated
// secret names itself, so one hash is compared whatever the client has.
func (a *Authenticator) match(ctx context.Context, client *store.Client, c Credentials) (*store.Secret, error) {
	id, generated := GeneratedID(c.Secret, a.o.Environment)
	presented := hashGenerated(c.Secret)
	stored := a.decoy
	var found *store.Secret
	if client != nil && generated {
		for i := range client.Secrets {
			if client.Secrets[i].ID == id {
				found = &client.Secrets[i]
				stored = found.Hash
			}
		}
	}
	if equalGenerated(stored, presented) && found != nil && found.Live(a.o.Now()) {
		return found, nil
	}
	if client == nil || client.DeactivatedAt != nil {
		return nil, nil
	}
	return a.slow.match(ctx, client, c.Secret, a.o.Now())
}

// admitted checks what stands besides the secret.
func admitted(c *store.Client, method string, from netip.Addr) bool {
	if c.DeactivatedAt != nil {
		return false
	}
	if len(c.AuthMethods) > 0 && !slices.Contains(c.AuthMethods, method) {
		return false
	}
	return len(c.SourceIPs) == 0 || Contains(c.SourceIPs, from)
}

// Contains says whether one of the addresses or CIDRs covers addr. IPv4
// addresses that are mapped into IPv6 count as IPv4.
func Contains(list []string, addr netip.Addr) bool {
	addr = addr.Unmap()
	return slices.ContainsFunc(list, func(s string) bool {
		p, err := ParseRange(s)
		return err == nil && p.Contains(addr)
	})
}

// ParseRange reads an address or a CIDR; an address is a range of one.
func ParseRange(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, err
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

// isOld goes by the order of the list, in which new secrets come last: their
// times are whole seconds.
func isOld(c *store.Client, used *store.Secret) bool {
	return c.Secrets[len(c.Secrets)-1].ID != used.ID
}
