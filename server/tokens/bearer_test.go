package tokens

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

// TestFindBearer has a row for each rule of what grantd accepts as a bearer token.
func TestFindBearer(t *testing.T) {
	d := newTestService(t)
	client, customer, onBehalf := []store.TokenUse{store.UseClient}, []store.TokenUse{store.UseClient, store.UseCustomer}, []store.TokenUse{store.UseOnBehalf}
	inside, outside := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("198.51.100.7")
	ranges := []string{"192.0.2.0/24"}
	cards := []store.Resource{{Type: "card", IDs: []string{"1"}}}
	for name, c := range map[string]struct {
		token store.Token
		uses  []store.TokenUse
		from  netip.Addr
		want  bool
	}{
		"a client's":                       {store.Token{Use: store.UseClient, ClientID: "a"}, client, inside, true},
		"a use that is not accepted":       {store.Token{Use: store.UseCustomer, ClientID: "a"}, client, inside, false},
		"one of two uses":                  {store.Token{Use: store.UseCustomer, ClientID: "a"}, customer, inside, true},
		"for grantd":                       {store.Token{Use: store.UseClient, Audience: []string{"https://api.example.com", "https://grantd.example.com"}}, client, inside, true},
		"for another audience":             {store.Token{Use: store.UseClient, Audience: []string{"https://api.example.com"}}, client, inside, false},
		"a client's, kept to endpoints":    {store.Token{Use: store.UseClient, Endpoints: []string{"GET /cards"}}, client, inside, false},
		"a customer's, kept to endpoints":  {store.Token{Use: store.UseCustomer, Endpoints: []string{"GET /cards"}}, customer, inside, false},
		"a client's, kept to resources":    {store.Token{Use: store.UseClient, Resources: cards}, client, inside, false},
		"a customer's, kept to resources":  {store.Token{Use: store.UseCustomer, Resources: cards}, customer, inside, true},
		"on behalf, kept to resources":     {store.Token{Use: store.UseOnBehalf, Resources: cards}, onBehalf, inside, false},
		"from an address that it may have": {store.Token{Use: store.UseClient, SourceIPs: ranges}, client, inside, true},
		"from another address":             {store.Token{Use: store.UseClient, SourceIPs: ranges}, client, outside, false},
		"from no address":                  {store.Token{Use: store.UseClient, SourceIPs: ranges}, client, netip.Addr{}, false},
	} {
		c.token.IssuedAt, c.token.ExpiresAt, c.token.Position = now, now.Add(time.Hour), d.o.Feed.Position()
		issued, err := d.storeToken(t.Context(), d.o.Keys.Make(c.token.ExpiresAt), c.token)
		if err != nil {
			t.Fatal(err)
		}
		f, err := d.FindBearer(t.Context(), issued.Token, c.from, c.uses...)
		if err != nil || (f.Token != nil) != c.want || f.Token != nil && !slices.Contains(c.uses, f.Token.Use) {
			t.Errorf("%s: %v, %v, want %v", name, f.Token, err, c.want)
		}
		if f.Refused != nil {
			t.Errorf("%s: refused as a partner's: %v", name, f.Refused)
		}
		if d.find(t, issued.Token).Token == nil {
			t.Errorf("%s: the token has ended", name)
		}
	}
	if f, err := d.FindBearer(t.Context(), "gt_sandbox_made-up", inside, store.UseClient); err != nil || f.Token != nil {
		t.Errorf("garbage: %v, %v", f.Token, err)
	}
}

// TestFindBearerOfPartner also shows that the log can name the partner token that
// came from an address that is not allowed.
func TestFindBearerOfPartner(t *testing.T) {
	d := newTestService(t)
	plain, id := d.newPartner(t, "hurdlr", func(p *store.PartnerToken) { p.SourceIPs = []string{"192.0.2.0/24"} })
	f, err := d.FindBearer(t.Context(), plain, netip.MustParseAddr("192.0.2.7"), store.UsePartner)
	if err != nil || f.Token == nil || f.Refused != nil {
		t.Errorf("from its address: %+v, %v", f, err)
	}
	f, err = d.FindBearer(t.Context(), plain, netip.MustParseAddr("198.51.100.7"), store.UsePartner)
	if want := (RefusedToken{"hurdlr", id, RefusedAddress}); err != nil || f.Token != nil || f.Refused == nil || *f.Refused != want {
		t.Errorf("from another address: %+v, %v", f, err)
	}
	if f, err := d.FindBearer(t.Context(), plain, netip.MustParseAddr("192.0.2.7"), store.UseClient); err != nil || f.Token != nil || f.Refused != nil {
		t.Errorf("where a client's is needed: %+v, %v", f, err)
	}
}

// TestFindSelf has a row for each rule of a call in which a token describes or ends
// itself.
func TestFindSelf(t *testing.T) {
	d := newTestService(t)
	inside, outside := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("198.51.100.7")
	ranges := []string{"192.0.2.0/24"}
	for name, c := range map[string]struct {
		token store.Token
		from  netip.Addr
		want  bool
	}{
		"a client's":           {store.Token{Use: store.UseClient, ClientID: "a"}, inside, true},
		"a customer's":         {store.Token{Use: store.UseCustomer, CustomerID: "10001"}, inside, true},
		"on behalf":            {store.Token{Use: store.UseOnBehalf, OrgID: "o"}, inside, true},
		"for grantd":           {store.Token{Use: store.UseClient, Audience: []string{"https://api.example.com", "https://grantd.example.com"}}, inside, true},
		"for another audience": {store.Token{Use: store.UseClient, Audience: []string{"https://api.example.com"}}, inside, false},
		"kept to endpoints":    {store.Token{Use: store.UseOnBehalf, Endpoints: []string{"GET /cards"}}, inside, true},
		"kept to resources":    {store.Token{Use: store.UseClient, Resources: []store.Resource{{Type: "card", IDs: []string{"1"}}}}, inside, true},
		"from its address":     {store.Token{Use: store.UseOnBehalf, SourceIPs: ranges, Endpoints: []string{"GET /cards"}}, inside, true},
		"from another address": {store.Token{Use: store.UseClient, SourceIPs: ranges}, outside, false},
		"from no address":      {store.Token{Use: store.UseClient, SourceIPs: ranges}, netip.Addr{}, false},
	} {
		c.token.IssuedAt, c.token.ExpiresAt, c.token.Position = now, now.Add(time.Hour), d.o.Feed.Position()
		issued, err := d.storeToken(t.Context(), d.o.Keys.Make(c.token.ExpiresAt), c.token)
		if err != nil {
			t.Fatal(err)
		}
		f, err := d.FindSelf(t.Context(), issued.Token, c.from)
		if err != nil || (f.Token != nil) != c.want || !c.want && (f.End.Cause == "" || f.ID() == "") {
			t.Errorf("%s: %+v, %v, want %v", name, f, err, c.want)
		}
	}
	if f, err := d.FindSelf(t.Context(), "gt_sandbox_made-up", inside); err != nil || f.Token != nil {
		t.Errorf("garbage: %v, %v", f.Token, err)
	}
	plain, id := d.newPartner(t, "hurdlr", func(p *store.PartnerToken) { p.SourceIPs = ranges })
	if f, err := d.FindSelf(t.Context(), plain, inside); err != nil || f.Token == nil {
		t.Errorf("a partner's: %+v, %v", f, err)
	}
	if f, err := d.FindSelf(t.Context(), plain, outside); err != nil || f.Token != nil || f.Refused == nil || f.Refused.TokenID != id {
		t.Errorf("a partner's from another address: %+v, %v", f, err)
	}
}
