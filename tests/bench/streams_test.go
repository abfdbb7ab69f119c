package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/program"
)

const (
	streamReaders = 200 // with -race, the readers alone would keep two processors busy
	streamTime    = 8 * time.Second
	streamVoids   = 100 // in a second
	// streamSample is how many readers look at what they get; the others only read it.
	streamSample = 100
	// streamPatience is how long a stream is asked for: a server with few files refuses
	// the last ones for as long as the others are open.
	streamPatience = 20 * time.Second
)

// TestStreams measures what many streams of revocations cost one process, and how late
// its readers hear. STREAM_READERS is how many readers. It fails only if a reader is refused, reset or not told.
func TestStreams(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute of both processors")
	}
	readers := streamReaders
	if n, err := strconv.Atoi(os.Getenv("STREAM_READERS")); err == nil {
		readers = n
	}
	s := startStreams(t)
	tokens := s.tokens(t, int(streamTime/time.Second)*streamVoids)
	alone := s.measure(t, func() { s.revoke(t, tokens[:len(tokens)/2]) })
	tokens = tokens[len(tokens)/2:]
	base := s.rss(t)
	began := time.Now()
	heard := s.open(t, readers)
	opened := time.Since(began)
	time.Sleep(2 * time.Second)
	each := (s.rss(t) - base) / readers
	idle := s.measure(t, func() { time.Sleep(streamTime) })
	busy := s.measure(t, func() { s.revoke(t, tokens) })
	time.Sleep(time.Second)
	delays := heard.delays(t, tokens)
	if want := len(tokens) * min(streamSample, readers); len(delays) != want {
		t.Errorf("%d of %d voids were heard", len(delays), want)
	}
	if len(delays) == 0 {
		return
	}
	slices.Sort(delays)
	t.Logf("%d readers opened in %v; %d bytes each; processor: %.1f %% idle, %.1f %% at %d voids/s (%.1f %% without readers); heard after %v (p50), %v (p99), %v (max)",
		readers, opened.Round(time.Millisecond), each, idle, busy, streamVoids, alone,
		delays[len(delays)/2].Round(time.Millisecond), delays[len(delays)*99/100].Round(time.Millisecond), delays[len(delays)-1].Round(time.Millisecond))
}

// streamServer is a grantd whose streams are measured.
type streamServer struct {
	pid     int
	address string
	rs, app credentials
}

func startStreams(t *testing.T) *streamServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "grantd-streams-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	conf := fmt.Sprintf(`public: {listen: "127.0.0.1:0"}
metrics: {listen: ""}
admin: {socket: %s/s}
store: {embedded: {path: %s/data}}
shutdown: {drain: 0s}
limits: {revocations_per_client: {count: 0}}
`, dir, dir)
	file := filepath.Join(dir, "grantd.yaml")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program.Path(t), "serve", "--config", file)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewReader(out)
	s := &streamServer{pid: cmd.Process.Pid}
	for s.address == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if _, rest, ok := strings.Cut(line, "public=http://"); ok {
			s.address, _, _ = strings.Cut(rest, " ")
		}
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	for id, c := range map[string]*credentials{"rs": &s.rs, "app": &s.app} {
		scope := map[string]string{"rs": "introspect", "app": "users:read"}[id]
		made, err := exec.Command(program.Path(t), "client", "create", "--socket", dir+"/s", "--id", id, "--scope", scope, "--output", "json").Output()
		if err != nil {
			t.Fatal(err)
		}
		var secret struct {
			ID     string `json:"client_id"`
			Secret string `json:"client_secret"`
		}
		if err := json.Unmarshal(made, &secret); err != nil {
			t.Fatal(err)
		}
		c.ID, c.Secret = secret.ID, secret.Secret
	}
	return s
}

// post posts a form, and decodes the response into v.
func (s *streamServer) post(t *testing.T, c credentials, path string, form url.Values, v any) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+s.address+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(c.ID, c.Secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(v); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v", path, res.StatusCode, err)
	}
}

// streamToken is a token, the void key of only this token, and when its revocation was
// confirmed.
type streamToken struct {
	value, key string
	ended      time.Time
}

func (s *streamServer) tokens(t *testing.T, n int) []*streamToken {
	t.Helper()
	list := make([]*streamToken, n)
	for i := range list {
		var made struct {
			Token string `json:"access_token"`
		}
		s.post(t, s.app, "/oauth/token", url.Values{"grant_type": {"client_credentials"}}, &made)
		var found struct {
			Keys []string `json:"void_keys"`
		}
		s.post(t, s.rs, "/oauth/introspect", url.Values{"token": {made.Token}, "follow": {"true"}}, &found)
		list[i] = &streamToken{value: made.Token, key: found.Keys[len(found.Keys)-1]}
	}
	return list
}

// revoke revokes the tokens at streamVoids a second.
func (s *streamServer) revoke(t *testing.T, tokens []*streamToken) {
	t.Helper()
	tick := time.NewTicker(time.Second / streamVoids)
	defer tick.Stop()
	for _, token := range tokens {
		<-tick.C
		s.post(t, s.app, "/oauth/revoke", url.Values{"token": {token.value}}, &struct{}{})
		token.ended = time.Now()
	}
}

// streamHeard is when the readers of the sample heard of each void key.
type streamHeard struct {
	mu     sync.Mutex
	at     map[string][]time.Time
	faults []string
}

// open opens the streams, some at a time.
func (s *streamServer) open(t *testing.T, n int) *streamHeard {
	t.Helper()
	h := &streamHeard{at: map[string][]time.Time{}}
	request := "GET /oauth/revocations HTTP/1.1\r\nHost: a\r\nAuthorization: Basic " +
		base64.StdEncoding.EncodeToString([]byte(s.rs.ID+":"+s.rs.Secret)) + "\r\n\r\n"
	every := max(1, n/streamSample)
	places := make(chan struct{}, 16)
	var first sync.WaitGroup
	var refused atomic.Bool
	for i := range n {
		places <- struct{}{}
		first.Add(1)
		go func() {
			begun := sync.OnceFunc(func() { <-places; first.Done() })
			defer begun()
			asked := time.Now()
			for {
				again, err := s.follow(t, request, i%every == 0 && i/every < streamSample, h, begun)
				full := again && time.Since(asked) > streamPatience
				if full {
					refused.Store(true) // the others need not wait as long
				}
				if !again || refused.Load() {
					if err != nil {
						h.fault(err.Error())
					}
					return
				}
				time.Sleep(time.Second)
			}
		}()
	}
	first.Wait()
	return h
}

func (h *streamHeard) fault(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, text)
}

// follow reads a stream until the test ends. again reports whether it was refused
// because streams are opened too fast.
func (s *streamServer) follow(t *testing.T, request string, sampled bool, h *streamHeard, begun func()) (again bool, err error) {
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		return false, err
	}
	defer c.Close()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-t.Context().Done():
			_ = c.Close()
		case <-stop:
		}
	}()
	if _, err := io.WriteString(c, request); err != nil {
		return false, err
	}
	buffer := make([]byte, 2<<10)
	n, err := c.Read(buffer)
	if err != nil || !bytes.HasPrefix(buffer[:n], []byte("HTTP/1.1 200")) {
		return bytes.HasPrefix(buffer[:n], []byte("HTTP/1.1 429")), fmt.Errorf("%.80s %w", buffer[:n], err)
	}
	begun()
	if !sampled {
		for err == nil {
			_, err = c.Read(buffer)
		}
	} else {
		err = h.listen(c)
	}
	if t.Context().Err() != nil {
		return false, nil
	}
	return false, fmt.Errorf("a stream ended: %w", err)
}

// listen notes when void keys are heard.
func (h *streamHeard) listen(c net.Conn) error {
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "event: reset"):
			h.fault("a reset")
		case strings.HasPrefix(line, `data: {"keys":["`):
			now := time.Now()
			keys := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, `data: {"keys":["`), `"]}`), `","`)
			h.mu.Lock()
			for _, key := range keys {
				h.at[key] = append(h.at[key], now)
			}
			h.mu.Unlock()
		}
	}
	return lines.Err()
}

// delays returns how long after their confirmation the ends were heard.
func (h *streamHeard) delays(t *testing.T, tokens []*streamToken) (list []time.Duration) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, fault := range h.faults {
		t.Error(fault)
	}
	for _, token := range tokens {
		for _, at := range h.at[token.key] {
			list = append(list, max(0, at.Sub(token.ended)))
		}
	}
	return list
}

// measure returns the share of one processor that the server takes while do runs, in
// percent.
func (s *streamServer) measure(t *testing.T, do func()) float64 {
	t.Helper()
	before, began := s.ticks(t), time.Now()
	do()
	return float64(s.ticks(t)-before) / time.Since(began).Seconds() // a tick is 10 ms
}

// ticks returns the processor time of the server, in hundredths of a second.
func (s *streamServer) ticks(t *testing.T) int {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return user + system
}

// rss returns the resident memory of the server, in bytes.
func (s *streamServer) rss(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, _ := strconv.Atoi(strings.Fields(rest)[0])
	return kb << 10
}
