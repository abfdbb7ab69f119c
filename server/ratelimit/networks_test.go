package ratelimit_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

// networks runs the test with a store that has the client billing, in a bubble of
// synctest, and with a function that starts a process.
func networks(t *testing.T, run func(t *testing.T, s *storetest.Faulty, start func() *ratelimit.Networks)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		opened, err := embedded.Open(embedded.Options{Path: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { opened.Close() })
		if err := opened.Clients().Create(t.Context(), store.Client{ID: "billing"}); err != nil {
			t.Fatal(err)
		}
		s := storetest.NewFaulty(opened)
		run(t, s, func() *ratelimit.Networks {
			n := ratelimit.NewNetworks(ratelimit.NetworksOptions{Store: s, Key: []byte("key"), Log: slog.New(slog.DiscardHandler)})
			n.Start()
			return n
		})
	})
}

// A network is known at once, after a restart, and to another process within
// seconds; as one network counts what counts as one for the limits.
func TestNetworks(t *testing.T) {
	networks(t, func(t *testing.T, s *storetest.Faulty, start func() *ratelimit.Networks) {
		home, same, away := netip.MustParseAddr("2001:db8:1:2::1"), netip.MustParseAddr("2001:db8:1:2::77"), netip.MustParseAddr("192.0.2.7")
		known := func(n *ratelimit.Networks, client string, from netip.Addr, want bool, what string) {
			t.Helper()
			if got := n.Known(t.Context(), client, from); got != want {
				t.Errorf("%s: known %v", what, got)
			}
		}
		a, b := start(), start()
		defer b.Stop()
		known(a, "billing", home, false, "before")
		known(b, "billing", home, false, "before")
		a.Learn("billing", home)
		a.Learn("billing", netip.Addr{})
		known(a, "billing", home, true, "learned")
		known(a, "billing", same, true, "the same network")
		known(a, "billing", away, false, "another network")
		known(a, "shipping", home, false, "another client")
		known(a, "billing", netip.Addr{}, false, "an address that cannot be read")
		time.Sleep(3 * time.Second)
		known(b, "billing", home, true, "in another process")
		for range 100 {
			a.Learn("billing", same)
		}
		a.Stop()
		if n := s.Calls("AddNetworks"); n != 1 {
			t.Errorf("written %d times, want once", n)
		}
		c := start()
		known(c, "billing", home, true, "after a restart")
		c.Stop()
		list, err := s.ListNetworks(t.Context(), "billing")
		if err != nil || len(list) != 1 || len(list[0]) != 16 {
			t.Errorf("stored %q, %v", list, err)
		}
	})
}

// An older grantd kept only the address of the last use.
func TestNetworkOfTheLastUse(t *testing.T) {
	networks(t, func(t *testing.T, s *storetest.Faulty, start func() *ratelimit.Networks) {
		err := s.AddUses(t.Context(), []store.Use{{Owner: "client:billing", ID: "AAAAAAAA", Count: 1, LastAt: time.Now(), LastIP: "192.0.2.7"}})
		if err != nil {
			t.Fatal(err)
		}
		n := start()
		defer n.Stop()
		if !n.Known(t.Context(), "billing", netip.MustParseAddr("::ffff:192.0.2.7")) || n.Known(t.Context(), "billing", netip.MustParseAddr("192.0.2.8")) {
			t.Error("the network of the last use is not the known one")
		}
	})
}

// A store that refuses for minutes, as a full Redis does, is logged once in a
// minute, however many clients wait, and so is the end.
func TestNetworksLogOnce(t *testing.T) {
	networks(t, func(t *testing.T, s *storetest.Faulty, _ func() *ratelimit.Networks) {
		var log bytes.Buffer
		n := ratelimit.NewNetworks(ratelimit.NetworksOptions{Store: s, Key: []byte("key"), Log: slog.New(slog.NewTextHandler(&log, nil))})
		full := fmt.Errorf("OOM: %w", store.ErrUnavailable)
		s.Fail("AddNetworks", full)
		s.Fail("ListNetworks", full)
		n.Start()
		home := netip.MustParseAddr("192.0.2.7")
		for i := range 50 {
			n.Learn(fmt.Sprint("client", i), home)
		}
		for range 150 {
			n.Known(t.Context(), "billing", home)
			time.Sleep(time.Second)
		}
		s.Heal("AddNetworks")
		s.Heal("ListNetworks")
		time.Sleep(2 * time.Second)
		n.Known(t.Context(), "billing", home)
		n.Stop()
		for line, most := range map[string]int{"not read": 3, "not written": 3, "read again": 1, "written again": 1} {
			if got := strings.Count(log.String(), line); got == 0 || got > most {
				t.Errorf("%q is logged %d times, want at most %d", line, got, most)
			}
		}
	})
}

// While the store is away, what is known stays known, and what is learned is
// written later. Strangers read it once in a while only.
func TestNetworksWithoutTheStore(t *testing.T) {
	networks(t, func(t *testing.T, s *storetest.Faulty, start func() *ratelimit.Networks) {
		n := start()
		for i := range 100 {
			n.Known(t.Context(), "billing", netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}))
		}
		if reads := s.Calls("ListNetworks"); reads != 1 {
			t.Errorf("%d reads for 100 strangers", reads)
		}
		down := errors.Join(errors.New("down"), store.ErrUnavailable)
		s.Fail("AddNetworks", down)
		s.Fail("ListNetworks", down)
		home := netip.MustParseAddr("192.0.2.7")
		n.Learn("billing", home)
		time.Sleep(2 * time.Minute)
		if !n.Known(t.Context(), "billing", home) || n.Known(t.Context(), "billing", netip.MustParseAddr("192.0.2.8")) {
			t.Error("what is known has changed")
		}
		s.Heal("AddNetworks")
		s.Heal("ListNetworks")
		time.Sleep(3 * time.Second)
		if list, err := s.ListNetworks(t.Context(), "billing"); err != nil || len(list) != 1 {
			t.Errorf("stored %q, %v", list, err)
		}
		n.Stop()
	})
}

// A client that is always somewhere else does not fill memory or the store.
func TestNetworksAreBounded(t *testing.T) {
	networks(t, func(t *testing.T, s *storetest.Faulty, start func() *ratelimit.Networks) {
		n := start()
		var last netip.Addr
		for i := range 1000 {
			last = netip.MustParseAddr(fmt.Sprintf("192.0.%d.%d", i/250, i%250))
			n.Learn("billing", last)
		}
		n.Stop()
		if list, err := s.ListNetworks(t.Context(), "billing"); err != nil || len(list) != store.MaxNetworks {
			t.Errorf("%d stored, %v", len(list), err)
		}
		n = start()
		if !n.Known(t.Context(), "billing", last) {
			t.Error("the last one is unknown")
		}
		n.Stop()
	})
}
