//go:build attack

package attack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/grantd/grantd/tests/program"
)

var (
	each  = flag.Duration("each", 3*time.Second, "how long each attack lasts")
	ratio = flag.Float64("ratio", 0, "the most that the p99 of the honest client may be of its p99 at rest; 0: it is only shown")
)

// mostMemory is the most memory that grantd may have at any time.
const mostMemory = 256 << 20

// attack is something that a stranger or a client does until ctx ends. It returns
// what it did.
type attack struct {
	name string
	run  func(ctx context.Context, l *lab) string
}

func TestAttacks(t *testing.T) {
	l := newLab(t)
	h := newHonest(t, l)
	greedy := l.client(t, map[string]any{"client_id": "greedy", "scope": "users:read"})
	org(t, l)
	filler := l.client(t, map[string]any{"client_id": "filler", "org_id": "acme", "scope": "customers customer-token-write cards"})
	attacks := []attack{
		{"header bomb over HTTP/2", headerBomb},
		{"idle connections from one address", func(ctx context.Context, l *lab) string { return idle(ctx, l, 1, 10_020) }},
		{"idle connections from many addresses", func(ctx context.Context, l *lab) string { return idle(ctx, l, 40, 200) }},
		{"slow bodies", slowBodies},
		{"bodies that never come", stalled},
		{"ClientHellos that do not end", hellos},
		{"JSON in escapes", func(ctx context.Context, l *lab) string {
			return long(ctx, l, "/oauth/token", "application/json", `{"grant_type":"`+strings.Repeat(`\u0061`, 10_800)+`"}`)
		}},
		{"JSON nested deep", func(ctx context.Context, l *lab) string {
			return long(ctx, l, "/customers/10001/token", "application/vnd.api+json", `{"data":`+strings.Repeat("[", 30_000)+strings.Repeat("]", 30_000)+`}`)
		}},
		{"readiness and documents", documents},
		{"mint and revoke", func(ctx context.Context, l *lab) string { return mintRevoke(ctx, l, greedy) }},
		{"large customer tokens", func(ctx context.Context, l *lab) string { return fill(ctx, l, filler) }},
		{"guesses from many addresses", func(ctx context.Context, l *lab) string { return guess(ctx, l, h.old) }},
	}
	measure := func(name string, run func(ctx context.Context, l *lab) string) time.Duration {
		ctx, cancel := context.WithTimeout(t.Context(), *each)
		defer cancel()
		l.peak(t) // forgets the peak so far
		did := make(chan string, 1)
		go func() { did <- run(ctx, l) }()
		got := h.work(ctx)
		what := <-did
		memory, p99 := l.peak(t), got.p99()
		t.Logf("%-38s %5d requests, %d not 200, p99 %8v, %3d MB; %s", name, got.requests, got.failed, p99.Round(10*time.Microsecond), memory>>20, what)
		if got.failed > 0 {
			t.Errorf("%s: %d of %d requests failed:\n%s", name, got.failed, got.requests, strings.Join(got.failures, "\n"))
		}
		if memory > mostMemory {
			t.Errorf("%s: grantd had %d MB", name, memory>>20)
		}
		return p99
	}
	rest := measure("at rest", func(ctx context.Context, _ *lab) string { <-ctx.Done(); return "" })
	for _, a := range attacks {
		p99 := measure(a.name, a.run)
		if *ratio > 0 && float64(p99) > *ratio*float64(rest) {
			t.Errorf("%s: p99 %v, %.1f times that at rest (%v)", a.name, p99, float64(p99)/float64(rest), rest)
		}
	}
	t.Run("deactivate", func(t *testing.T) {
		out, err := exec.Command(program.Path(t), "client", "deactivate", "filler", "--socket", l.socket).CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	if b, err := os.ReadFile(l.log); err == nil {
		warnings := 0
		for line := range bytes.Lines(b) {
			if !bytes.Contains(line, []byte(`"msg":"request"`)) {
				warnings++
			}
		}
		t.Logf("%d lines in the log besides those of requests", warnings)
		if most := 200; warnings > most {
			t.Errorf("%d lines in the log besides those of requests, want at most %d:\n%s", warnings, most, l.tail())
		}
	}
}

// many runs f in n goroutines and waits for them.
func many(n int, f func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { f(i) })
	}
	group.Wait()
}

// headerBomb opens 100 connections again and again, each with as many streams as it
// may have. The headers are small on the wire and large in memory; bodies never
// come, and nothing is read.
func headerBomb(ctx context.Context, l *lab) string {
	var mu sync.Mutex
	opened, spoke := 0, 0
	many(100, func(i int) {
		wait(ctx, time.Duration(i)*20*time.Millisecond) // so that not all come at once
		for ctx.Err() == nil {
			c := l.dial(ctx, "127.0.1.1", "h2", "http/1.1")
			if c == nil {
				wait(ctx, 100*time.Millisecond)
				continue
			}
			mu.Lock()
			opened++
			isHTTP2 := c.ConnectionState().NegotiatedProtocol == "h2"
			if isHTTP2 {
				spoke++
			}
			mu.Unlock()
			if isHTTP2 {
				_ = c.SetWriteDeadline(time.Now().Add(2 * time.Second))
				_, _ = c.Write(bombOf250)
			}
			wait(ctx, 2*time.Second)
			_ = c.Close()
		}
	})
	return fmt.Sprintf("%d connections, %d of them HTTP/2 with 250 streams", opened, spoke)
}

var bombOf250 = func() []byte {
	var out, block bytes.Buffer
	out.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&out, nil)
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	enc := hpack.NewEncoder(&block)
	for stream := range uint32(250) {
		block.Reset()
		for _, f := range [][2]string{
			{":method", "POST"}, {":scheme", "https"}, {":authority", "x"}, {":path", "/oauth/token"},
			{"content-type", "application/x-www-form-urlencoded"}, {"content-length", "100"},
		} {
			_ = enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		for range 28 {
			_ = enc.WriteField(hpack.HeaderField{Name: "cookie", Value: strings.Repeat("c", 220)})
		}
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*stream + 1, BlockFragment: block.Bytes(), EndHeaders: true})
	}
	return out.Bytes()
}()

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// idle opens connections from a number of addresses, some 1,800 in a second, and
// sends nothing on them.
func idle(ctx context.Context, l *lab, addresses, perAddress int) string {
	var mu sync.Mutex
	opened := 0
	const openers = 40
	many(openers, func(i int) {
		var held []io.Closer
		for n := range addresses * perAddress / openers {
			address := fmt.Sprintf("127.0.2.%d", (n*openers+i)%addresses+1)
			if wait(ctx, 20*time.Millisecond); ctx.Err() != nil {
				break
			}
			c, err := dialPlain(ctx, l, address)
			if err != nil {
				wait(ctx, 10*time.Millisecond)
				continue
			}
			held = append(held, c)
			mu.Lock()
			opened++
			mu.Unlock()
		}
		<-ctx.Done()
		for _, c := range held {
			_ = c.Close()
		}
	})
	return fmt.Sprintf("%d connections", opened)
}

// slowBodies opens 3,000 connections with large headers and long bodies, and sends a
// little of each body now and then.
func slowBodies(ctx context.Context, l *lab) string {
	var mu sync.Mutex
	opened := 0
	request := fmt.Sprintf("POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Filler: %s\r\nContent-Length: 64000\r\n\r\n%s",
		strings.Repeat("x", 7<<10), strings.Repeat(" ", 8<<10))
	many(36, func(i int) {
		address := fmt.Sprintf("127.0.3.%d", i%12+1)
		var held []io.WriteCloser
		for range 84 {
			wait(ctx, 70*time.Millisecond)
			c := l.dial(ctx, address, "http/1.1")
			if c == nil {
				continue
			}
			_ = c.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = io.WriteString(c, request)
			held = append(held, c)
			mu.Lock()
			opened++
			mu.Unlock()
		}
		for ctx.Err() == nil {
			wait(ctx, time.Second)
			for _, c := range held {
				_, _ = io.WriteString(c, " ")
			}
		}
		for _, c := range held {
			_ = c.Close()
		}
	})
	return fmt.Sprintf("%d connections", opened)
}

// long sends a long body that is costly to decode.
func long(ctx context.Context, l *lab, path, mediaType, body string) string {
	var mu sync.Mutex
	sent := 0
	many(32, func(i int) {
		c := from(fmt.Sprintf("127.0.4.%d", i%8+1))
		for ctx.Err() == nil {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+l.address+path, strings.NewReader(body))
			if err != nil {
				return
			}
			req.Header.Set("Content-Type", mediaType)
			res, err := c.Do(req)
			if err != nil {
				wait(ctx, 20*time.Millisecond)
				continue
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			mu.Lock()
			sent++
			mu.Unlock()
			wait(ctx, 20*time.Millisecond)
		}
	})
	return fmt.Sprintf("%d requests", sent)
}

// documents asks for everything that a stranger may ask for.
func documents(ctx context.Context, l *lab) string {
	var mu sync.Mutex
	sent := 0
	many(16, func(i int) {
		c := from(fmt.Sprintf("127.0.5.%d", i%4+1))
		for ctx.Err() == nil {
			for _, path := range []string{"/readyz", "/openapi.yaml", "/.well-known/oauth-authorization-server"} {
				res, err := c.Get("https://" + l.address + path)
				if err != nil {
					continue
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				mu.Lock()
				sent++
				mu.Unlock()
				wait(ctx, 10*time.Millisecond)
			}
		}
	})
	return fmt.Sprintf("%d requests", sent)
}

// mintRevoke makes tokens and revokes them at once, as fast as the quotas allow.
func mintRevoke(ctx context.Context, l *lab, c credentials) string {
	var mu sync.Mutex
	minted, revoked, refused := 0, 0, 0
	h := from("127.0.6.1")
	many(16, func(int) {
		for ctx.Err() == nil {
			status, body, err := l.post(ctx, h, "/oauth/token", c, grant)
			if err != nil {
				return
			}
			var token struct {
				Value string `json:"access_token"`
			}
			_ = json.Unmarshal(body, &token)
			mu.Lock()
			if status == 200 {
				minted++
			} else {
				refused++
			}
			mu.Unlock()
			if status != 200 {
				wait(ctx, 100*time.Millisecond)
				continue
			}
			if status, _, err = l.post(ctx, h, "/oauth/revoke", c, url.Values{"token": {token.Value}}); err == nil && status == 200 {
				mu.Lock()
				revoked++
				mu.Unlock()
			}
			wait(ctx, 20*time.Millisecond)
		}
	})
	return fmt.Sprintf("%d minted, %d revoked, %d refused", minted, revoked, refused)
}

func org(t *testing.T, l *lab) {
	t.Helper()
	if err := l.change(http.MethodPut, "/orgs/acme", map[string]any{"name": "Acme"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := l.change(http.MethodPut, "/customers/10001", map[string]any{"org_id": "acme", "type": "individual", "phone": "+15555550136"}, nil); err != nil {
		t.Fatal(err)
	}
}

// fill makes customer tokens that are as large as they may be.
func fill(ctx context.Context, l *lab, c credentials) string {
	var ids []string
	for i := range 13 {
		ids = append(ids, fmt.Sprintf("%0128d", i))
	}
	document, err := json.Marshal(map[string]any{"data": map[string]any{"type": "customerToken", "attributes": map[string]any{
		"scope": "cards", "resources": []any{map[string]any{"type": "card", "ids": ids}},
	}}})
	if err != nil {
		return err.Error()
	}
	h := from("127.0.7.1")
	_, body, err := l.post(ctx, h, "/oauth/token", c, grant)
	if err != nil {
		return err.Error()
	}
	var bearer struct {
		Value string `json:"access_token"`
	}
	_ = json.Unmarshal(body, &bearer)
	var mu sync.Mutex
	statuses := map[int]int{}
	many(8, func(int) {
		for ctx.Err() == nil {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+l.address+"/customers/10001/token", bytes.NewReader(document))
			if err != nil {
				return
			}
			req.Header.Set("Content-Type", "application/vnd.api+json")
			req.Header.Set("Authorization", "Bearer "+bearer.Value)
			res, err := h.Do(req)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			mu.Lock()
			statuses[res.StatusCode]++
			mu.Unlock()
			wait(ctx, 10*time.Millisecond)
		}
	})
	return fmt.Sprintf("responses by status: %v", statuses)
}

// guess tries secrets of a client with an imported one, from an address that
// changes each time.
func guess(ctx context.Context, l *lab, c credentials) string {
	var mu sync.Mutex
	statuses := map[int]int{}
	many(12, func(i int) {
		for n := 0; ctx.Err() == nil; n++ {
			h := from(fmt.Sprintf("127.%d.%d.%d", 1+i, n/250%250, 1+n%250))
			status, _, err := l.post(ctx, h, "/oauth/token", credentials{c.ID, fmt.Sprint("guess ", i, n)}, grant)
			h.CloseIdleConnections()
			if err == nil {
				mu.Lock()
				statuses[status]++
				mu.Unlock()
			}
			wait(ctx, 200*time.Millisecond)
		}
	})
	return fmt.Sprintf("responses by status: %v", statuses)
}

func bcryptOf(t *testing.T, secret string) string {
	t.Helper()
	b, err := bcrypt.GenerateFromPassword([]byte(secret), 10)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// stalled sends requests whose short bodies never come, from several addresses.
func stalled(ctx context.Context, l *lab) string {
	var mu sync.Mutex
	opened := 0
	many(64, func(i int) {
		address := fmt.Sprintf("127.0.8.%d", i%8+1)
		for ctx.Err() == nil {
			var held []io.Closer
			for range 20 {
				c := l.dial(ctx, address, "http/1.1")
				if c == nil {
					continue
				}
				_ = c.SetWriteDeadline(time.Now().Add(time.Second))
				_, _ = io.WriteString(c, "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\n")
				held = append(held, c)
				mu.Lock()
				opened++
				mu.Unlock()
				wait(ctx, 300*time.Millisecond)
			}
			wait(ctx, time.Second)
			for _, c := range held {
				_ = c.Close()
			}
		}
	})
	return fmt.Sprintf("%d requests", opened)
}

// hellos opens 2,400 connections, each with most of a ClientHello of 64 KiB, again
// and again.
func hellos(ctx context.Context, l *lab) string {
	hello := append([]byte{22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xf0}, make([]byte, 16<<10-4)...)
	var mu sync.Mutex
	opened := 0
	many(40, func(i int) {
		for ctx.Err() == nil {
			var held []io.Closer
			for range 60 {
				wait(ctx, 30*time.Millisecond)
				c, err := dialPlain(ctx, l, fmt.Sprintf("127.0.10.%d", i+1))
				if err != nil {
					continue
				}
				_ = c.SetWriteDeadline(time.Now().Add(time.Second))
				for range 3 {
					_, _ = c.Write(hello)
				}
				held = append(held, c)
				mu.Lock()
				opened++
				mu.Unlock()
			}
			wait(ctx, time.Second)
			for _, c := range held {
				_ = c.Close()
			}
		}
	})
	return fmt.Sprintf("%d connections", opened)
}
