package auth

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
)

// quiet is a Recorder that records nothing.
type quiet struct{}

func (quiet) RecordUse(string, string, netip.Addr)    {}
func (quiet) RecordFailure(_, _ string, _ netip.Addr) {}

// BenchmarkAuthenticate measures the right secret of a client in the cache.
func BenchmarkAuthenticate(b *testing.B) {
	s, err := embedded.Open(embedded.Options{Path: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	f := feed.New(feed.Options{
		Store: s, MaxStaleness: time.Second, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Restore: func(ctx context.Context) error { return nil },
	})
	if err := f.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer f.Stop()
	plain, id, hash := credential.NewSecret("sandbox")
	err = s.Clients().Create(b.Context(), store.Client{ID: "billing", Secrets: []store.Secret{{ID: id, Hash: hash}}})
	if err != nil {
		b.Fatal(err)
	}
	a := New(Options{
		Environment: "sandbox", Clients: registry.NewCache(store.ClientKind, s.Clients(), f), Recorder: quiet{},
		Observe: func(_, _ string) {}, Now: time.Now,
	})
	p := Presented{ClientID: "billing", ClientSecret: plain}
	from := netip.MustParseAddr("192.0.2.7")
	b.ReportAllocs()
	for b.Loop() {
		c, err := p.Credentials()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := a.Authenticate(b.Context(), c, from); err != nil {
			b.Fatal(err)
		}
	}
}
