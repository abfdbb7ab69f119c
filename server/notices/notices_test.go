package notices

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/server/signedpost"
	"github.com/grantd/grantd/store"
)

func (w *world) client(t *testing.T, id string, made time.Time, ends *time.Time) {
	t.Helper()
	c := store.Client{ID: id, OrgID: "acme", Secrets: []store.Secret{{ID: "sec" + id, CreatedAt: made, ExpiresAt: ends}}}
	c.Head = store.Head{CreatedAt: made, UpdatedAt: made, Version: 1}
	if err := w.store.Clients().Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func (w *world) partner(t *testing.T, id string, made, ends time.Time) {
	t.Helper()
	p := store.Partner{ID: id, Tokens: []store.PartnerToken{{ID: "tok" + id, CreatedAt: made, ExpiresAt: ends}}}
	p.Head = store.Head{CreatedAt: made, UpdatedAt: made, Version: 1}
	if err := w.store.Partners().Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// TestKinds has a row for each kind of notice: what causes it, its subject, and one of
// its details.
func TestKinds(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		now := w.clock.Now().Truncate(time.Second)
		end := now.Add(6 * day)
		for _, c := range []struct {
			kind, subject, detail string
			cause                 func()
		}{
			{kindSecretEnds, "secret:cart/seccart", `"days":7`, func() { w.client(t, "cart", now.Add(-day), &end) }},
			{kindSecretUnused, "secret:old/secold", `"last_used_at":null`, func() { w.client(t, "old", w.clock.Now().Add(time.Minute-90*day), nil) }},
			{kindPartnerTokenEnds, "partner_token:tokmx", `"partner_id":"mx"`, func() { w.partner(t, "mx", now.Add(-day), w.clock.Now().Add(day+time.Minute)) }},
			{kindPartnerTokenUnused, "partner_token:tokidle", `"days":90`, func() { w.partner(t, "idle", w.clock.Now().Add(time.Minute-90*day), now.Add(200*day)) }},
			{kindCertificateEnds, "certificate:public", `"listener":"public"`, func() { w.certs = []Certificate{{"public", certificate(t, now.Add(20*day))}} }},
			{kindCustomerLocked, "customer:10001", `"blocked_by":"wrong_codes_per_day"`, func() { w.audit(t, locked("10001")) }},
			{kindQuotaExceeded, "client:cart", `"limit":"issue_per_client"`, func() {
				w.audit(t, store.AuditEvent{Action: "limit.exceeded", Actor: "client:cart", Target: "client:cart", Traffic: true, After: json.RawMessage(`{"limit":"issue_per_client"}`)})
			}},
			{kindLeaked, "secret:cart/abc", `"kind":"client_secret"`, func() {
				w.audit(t, store.AuditEvent{Action: "leak.report", Actor: "uid:0", Target: "secret:cart/abc", After: json.RawMessage(`{"kind":"client_secret","client_id":"cart"}`)})
			}},
			{kindRolledBack, "store", `"entries_lost":3`, func() {
				w.audit(t, store.AuditEvent{Action: "store.rolled_back", Actor: "system", Target: "hold:store", After: json.RawMessage(`{"entries_lost":3}`)})
			}},
		} {
			c.cause()
			s := w.replica(t)
			w.clock.Advance(passEvery) // the next pass
			ticks(t, s, s)
			got := w.receiver.take()
			if len(got) != 1 {
				t.Fatalf("%s: %d notices: %+v", c.kind, len(got), got)
			}
			n := got[0]
			if n.Kind != c.kind || n.Subject != c.subject || !strings.Contains(string(n.Details), c.detail) || n.Summary == "" ||
				n.Environment != "sandbox" || n.Issuer != "https://auth.example.com" || n.At.IsZero() {
				t.Errorf("%s: %+v %s", c.kind, n, n.Details)
			}
			s.release(t.Context())
		}
		if out, err := w.replica(t).Test(t.Context()); err != nil || !out.Delivered || w.receiver.take()[0].Kind != kindTest {
			t.Errorf("%+v, %v", out, err)
		}
		w.receiver.status.Store(401)
		if out, err := w.replica(t).Test(t.Context()); err != nil || out.Delivered || out.Problem != "the receiver answered 401" {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

// TestStepsBeforeAnEnd: one notice at each step, none twice, and only the last step if
// several have passed.
func TestStepsBeforeAnEnd(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		end := w.clock.Now().Truncate(time.Second).Add(40 * day)
		w.client(t, "cart", w.clock.Now(), &end)
		s := w.replica(t)
		var days []string
		for range 41 * 4 {
			ticks(t, s)
			for _, n := range w.receiver.take() {
				var d struct{ Days int }
				if err := json.Unmarshal(n.Details, &d); err != nil {
					t.Fatal(err)
				}
				left := end.Sub(w.clock.Now())
				days = append(days, fmt.Sprintf("%d/%d", d.Days, int((left+6*time.Hour)/day)))
			}
			w.clock.Advance(6 * time.Hour)
		}
		if got := strings.Join(days, " "); got != "30/30 14/14 7/7 1/1" {
			t.Errorf("notices (step/days left): %s", got)
		}
	})
	now := time.Now()
	for name, c := range map[string]struct {
		left, since time.Duration // since: before now
		want        int
		due         bool
	}{
		"far":                             {31 * day, day, 0, false},
		"at a step":                       {14 * day, time.Hour, 14, true},
		"reported before":                 {13 * day, time.Hour, 14, false},
		"two steps while nobody looked":   {6 * day, 20 * day, 7, true},
		"the last day":                    {time.Minute, day, 1, true},
		"ended":                           {-time.Minute, 40 * day, 0, false},
		"it got shorter, beyond no step":  {3 * day, time.Hour, 7, false},
		"never looked, within the window": {3 * day, 1000 * day, 7, true},
	} {
		if days, due := findStep(now.Add(c.left), now.Add(-c.since), now); due != c.due || due && days != c.want {
			t.Errorf("%s: %d, %v", name, days, due)
		}
	}
}

// TestReceiverDownThenUp: nothing is lost while the receiver fails, tries become rare,
// a restart changes nothing, and the order is kept.
func TestReceiverDownThenUp(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		w.receiver.status.Store(503)
		s := w.replica(t)
		var want []string
		for i := range 20 {
			w.audit(t, locked(fmt.Sprint(i)))
			want = append(want, fmt.Sprintf("customer:%d", i))
			ticks(t, s)
		}
		w.receiver.mu.Lock()
		tries := w.receiver.tries
		w.receiver.mu.Unlock()
		if tries == 0 || tries > 10 {
			t.Errorf("%d tries within 100 s", tries)
		}
		w.clock.Advance(time.Hour)
		ticks(t, s)
		if w.log.pending != 20 || w.log.oldest < time.Hour || w.log.results[resultFailed] < 2 || w.log.results[resultSent] != 0 {
			t.Errorf("%+v", w.log.results)
		}
		w.receiver.status.Store(0)
		w.clock.Advance(lastRetry)
		ticks(t, w.replica(t)) // after a restart without a Stop
		var got []string
		for _, n := range w.receiver.take() {
			got = append(got, n.Subject)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		w.clock.Advance(time.Hour)
		ticks(t, w.replica(t), w.replica(t))
		if again := w.receiver.take(); len(again) != 0 {
			t.Errorf("again: %v", again)
		}
	})
}

// TestRefusedForDays: a notice that the receiver never takes does not hold back the
// others for ever.
func TestRefusedForDays(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		s := w.replica(t)
		w.receiver.status.Store(400)
		w.audit(t, locked("1"))
		ticks(t, s)
		w.clock.Advance(giveUpAfter + time.Minute)
		ticks(t, s)
		if w.log.results[resultDropped] != 1 || w.log.pending != 0 {
			t.Errorf("%v, %d pending", w.log.results, w.log.pending)
		}
		w.receiver.status.Store(0)
		w.audit(t, locked("2"))
		w.clock.Advance(lastRetry)
		ticks(t, s)
		if got := w.receiver.take(); len(got) != 1 || got[0].Subject != "customer:2" {
			t.Errorf("%+v", got)
		}
	})
}

// TestRefusedHoldsBackNoOther: a notice that the receiver refuses is tried again while
// those after it arrive, more rarely each time, and arrives once it is accepted.
func TestRefusedHoldsBackNoOther(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		s := w.replica(t)
		w.receiver.refuse("customer:bad", 422)
		w.audit(t, locked("bad"), locked("1"), locked("2"))
		ticks(t, s)
		if got := w.receiver.subjects(); !slices.Equal(got, []string{"customer:1", "customer:2"}) {
			t.Errorf("%v", got)
		}
		for range 50 {
			w.clock.Advance(tickEvery)
			ticks(t, s)
		}
		if n := w.log.results[resultFailed]; n < 3 || n > 9 || w.log.pending != 1 {
			t.Errorf("%d tries within 100 s, %d pending", n, w.log.pending)
		}
		w.receiver.refuse("", 0)
		w.clock.Advance(lastRetry)
		ticks(t, s)
		if got := w.receiver.subjects(); !slices.Equal(got, []string{"customer:bad"}) || w.log.pending != 0 || len(s.refused) != 1 {
			t.Errorf("%v, %d pending", got, w.log.pending)
		}
		if ticks(t, s); len(s.refused) != 0 {
			t.Error("a notice that has left is remembered")
		}
	})
}

// TestReceiverFailsOnOne: a receiver that seems to be down, and is not, gets the others
// after an hour.
func TestReceiverFailsOnOne(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		s := w.replica(t)
		w.receiver.refuse("customer:bad", 500)
		w.audit(t, locked("bad"), locked("1"))
		ticks(t, s)
		if got := w.receiver.subjects(); len(got) != 0 {
			t.Errorf("out of order: %v", got)
		}
		w.clock.Advance(holdBack + time.Minute)
		ticks(t, w.replica(t)) // the first try is remembered in the store
		if w.shared {
			w.clock.Advance(leaseFor)
			ticks(t, w.replica(t))
		}
		if got := w.receiver.subjects(); !slices.Equal(got, []string{"customer:1"}) {
			t.Errorf("%v", got)
		}
	})
}

// TestThreeDaysOfEach: a notice that waited behind others for days has its three days
// from its own first try on.
func TestThreeDaysOfEach(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		s := w.replica(t)
		w.receiver.status.Store(503)
		w.audit(t, locked("1"), locked("2"))
		ticks(t, s)
		w.clock.Advance(giveUpAfter + time.Minute)
		ticks(t, s)
		if w.log.results[resultDropped] != 1 || w.log.pending != 1 {
			t.Errorf("%v, %d pending", w.log.results, w.log.pending)
		}
		w.receiver.status.Store(0)
		w.clock.Advance(lastRetry)
		ticks(t, s)
		if got := w.receiver.subjects(); !slices.Equal(got, []string{"customer:2"}) {
			t.Errorf("%v", got)
		}
	})
}

// TestAllRefused: a receiver that refuses everything gets few tries at once.
func TestAllRefused(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		s := w.replica(t)
		w.receiver.status.Store(404)
		for i := range 3 * refusedAtOnce {
			w.audit(t, locked(fmt.Sprint(i)))
		}
		ticks(t, s)
		if n := w.log.results[resultFailed]; n != refusedAtOnce {
			t.Errorf("%d tries", n)
		}
	})
}

// TestQueueIsBounded: more than the queue takes stays in the audit until there is room.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		w.receiver.status.Store(503)
		s := w.replica(t)
		ticks(t, s)
		const all = 2*maxPending + 50
		for i := range all {
			w.audit(t, locked(fmt.Sprintf("%04d", i)))
		}
		for range 3 {
			ticks(t, s)
		}
		if w.log.pending != maxPending {
			t.Errorf("%d pending", w.log.pending)
		}
		w.receiver.status.Store(0)
		var got []string
		for range 20 {
			w.clock.Advance(lastRetry)
			ticks(t, s)
			for _, n := range w.receiver.take() {
				got = append(got, n.Subject)
			}
		}
		if len(got) != all || !slices.IsSorted(got) {
			t.Errorf("%d notices, in order: %v", len(got), slices.IsSorted(got))
		}
	})
}

// TestTwoReplicas: of replicas that share the store one sends, each of them offers its
// certificates, and another goes on when the first dies or stops.
func TestTwoReplicas(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		if !w.shared {
			return // one process has the store
		}
		a, b := w.replica(t), w.replica(t)
		leaf := certificate(t, w.clock.Now().Add(20*day))
		w.certs = []Certificate{{"public", leaf}}
		ticks(t, a, b)
		for i := range 5 {
			w.audit(t, locked(fmt.Sprint(i)))
			ticks(t, b, a)
		}
		seen := map[string]int{}
		for _, n := range w.receiver.take() {
			seen[n.Subject]++
		}
		if len(seen) != 6 {
			t.Errorf("notices %v", seen)
		}
		for subject, n := range seen {
			if n != 1 {
				t.Errorf("%s came %d times", subject, n)
			}
		}
		admin := []Certificate{{"admin", certificate(t, w.clock.Now().Add(5*day))}}
		b.o.Certificates = func() []Certificate { return admin }
		w.clock.Advance(certificatesEvery / 2)
		ticks(t, a) // it keeps the queue
		w.clock.Advance(certificatesEvery / 2)
		ticks(t, b) // it does not have the queue
		if got := w.receiver.take(); len(got) != 0 {
			t.Errorf("%+v", got)
		}
		ticks(t, a)
		if got := w.receiver.take(); len(got) != 1 || got[0].Subject != "certificate:admin" {
			t.Errorf("%+v", got)
		}
		w.audit(t, locked("late")) // a dies
		ticks(t, b)
		if got := w.receiver.take(); len(got) != 0 {
			t.Errorf("b sends although a has the queue: %+v", got)
		}
		w.clock.Advance(leaseFor)
		ticks(t, b)
		if got := w.receiver.take(); len(got) != 1 || got[0].Subject != "customer:late" {
			t.Errorf("%+v", got)
		}
		if err := a.tick(t.Context()); err != nil { // it was only slow
			t.Error(err)
		}
		w.audit(t, locked("last"))
		b.release(t.Context())
		ticks(t, a)
		if got := w.receiver.take(); len(got) != 1 || got[0].Subject != "customer:last" {
			t.Errorf("after the release: %+v", got)
		}
	})
}

// TestNewQueueRepeatsTheIDs: a store that lost the queue sends the same ids again, so
// that receivers can drop them.
func TestNewQueueRepeatsTheIDs(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		end := w.clock.Now().Truncate(time.Second).Add(10 * day)
		w.client(t, "cart", w.clock.Now(), &end)
		w.audit(t, locked("1"))
		s := w.replica(t)
		ticks(t, s)
		first := w.receiver.take()
		q, err := s.load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.store.NoticeQueues().Delete(t.Context(), q.ID, q.Version); err != nil {
			t.Fatal(err)
		}
		ticks(t, w.replica(t))
		again := w.receiver.take()
		if diff := cmp.Diff(first, again); len(first) != 2 || diff != "" {
			t.Errorf("%d notices (-first +again):\n%s", len(first), diff)
		}
	})
}

// example returns the request of a notice as the page shows it.
func example(t *testing.T) string {
	t.Helper()
	now := time.Unix(1687436422, 0)
	request := ""
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		request = "```http\nPOST /grantd HTTP/1.1\nHost: ops.example.com\n"
		for _, name := range []string{"Content-Type", "Grantd-Signature", "Grantd-Timestamp", "Idempotency-Key", "User-Agent"} {
			request += name + ": " + r.Header.Get(name) + "\n"
		}
		request += "\n" + string(body) + "\n```"
	}))
	defer server.Close()
	post, err := signedpost.New(signedpost.Options{URL: server.URL, Key: []byte("example key of at least 32 bytes"), AllowPrivate: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{o: Options{Environment: "live", Issuer: func() string { return "https://auth.example.com" }, Post: post}}
	c := secretwatch.Credential{Owner: "client:cart", ID: "Ab3dEf7h", CreatedAt: now.Add(-83 * day), ExpiresAt: now.Add(7 * day)}
	n := endNotice(kindSecretEnds, c, store.Use{LastAt: now.Add(-time.Hour)}, 7, now)
	body, err := s.body(n)
	if err != nil {
		t.Fatal(err)
	}
	if f := post.Post(t.Context(), n.ID, body); f != nil {
		t.Fatal(f.Why)
	}
	return request
}

// TestPage checks that NOTICES.md has every kind and every member.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("NOTICES.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{
		kindSecretEnds, kindSecretUnused, kindPartnerTokenEnds, kindPartnerTokenUnused, kindCertificateEnds, kindCustomerLocked,
		kindQuotaExceeded, kindLeaked, kindRolledBack, kindTest,
	} {
		if !strings.Contains(string(page), "| `"+kind+"` |") {
			t.Errorf("NOTICES.md has no row for %s", kind)
		}
	}
	if want := example(t); !strings.Contains(string(page), want) {
		t.Errorf("NOTICES.md does not show:\n%s", want)
	}
	for _, want := range []string{
		fmt.Sprintf("not within %s,", signedpost.Try), fmt.Sprintf("holds %d notices", maxPending),
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("NOTICES.md does not say %q", want)
		}
	}
	var members map[string]any
	b, err := json.Marshal(Payload{Details: json.RawMessage("{}")})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &members); err != nil {
		t.Fatal(err)
	}
	for name := range members {
		if !strings.Contains(string(page), "| `"+name+"` |") {
			t.Errorf("NOTICES.md does not have the member %s", name)
		}
	}
}
