package envoy

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/grantd/grantd/tests/poll"
)

// framed returns a message with its prefix.
func framed(flag byte, m []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(m))), m...)
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// h2 is a client of HTTP/2 without TLS, for what grpc-go does not send.
func h2(t testing.TB) *http.Client {
	t.Helper()
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &p}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// post calls with a body, and returns what Envoy would do.
func (x *rig) post(t testing.TB, c *http.Client, body io.Reader) outcome {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, x.URL()+auth.Authorization_Check_FullMethodName, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("TE", "trailers")
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 200 || res.Trailer.Get("Grpc-Status") != "0" || len(b) < 5 || res.Header.Get("WWW-Authenticate") != "" {
		t.Fatalf("%d %v %v %q", res.StatusCode, res.Header, res.Trailer, b)
	}
	var m auth.CheckResponse
	if err := proto.Unmarshal(b[5:], &m); err != nil {
		t.Fatal(err)
	}
	return apply(t, &m, nil)
}

// TestMalformed: what cannot be read lets nothing pass, whatever failure_mode_allow says.
func TestMalformed(t *testing.T) {
	x, c := standard(t), h2(t)
	good := marshal(t, bearer("Bearer client").request())
	if o := x.post(t, c, bytes.NewReader(framed(0, good))); !o.passed {
		t.Fatalf("%+v", o)
	}
	for name, body := range map[string][]byte{
		"nothing": nil, "half a prefix": {0, 0}, "another flag": framed(2, good), "cut": framed(0, good)[:len(good)-1],
		"two messages": append(framed(0, good), framed(0, good)...), "not protobuf": framed(0, []byte(strings.Repeat("\xff", 100))),
		"length beyond the body": append([]byte{0, 0xff, 0xff, 0xff, 0xff}, good...), "repeated": framed(0, append(good, good...)),
		"a group": framed(0, append([]byte{0x0b, 0x0c}, good...)), "another type": framed(0, []byte{0x08, 1}),
	} {
		if o := x.post(t, c, bytes.NewReader(body)); o.status != 400 {
			t.Errorf("%s: %+v", name, o)
		}
	}
	if o := x.post(t, c, bytes.NewReader(framed(0, nil))); o.status != 401 {
		t.Errorf("an empty message: %+v", o)
	}
}

// TestManyHeaders: a caller cannot open anything by sending more than is read.
func TestManyHeaders(t *testing.T) {
	x := standard(t)
	k := bearer("Bearer client")
	for range 1_001 {
		k.raw = append(k.raw, [2]string{"a", "b"})
	}
	if o := x.do(t, k); o.status != 400 {
		t.Errorf("too many headers: %+v", o)
	}
	for _, size := range []int{60 << 10, 64 << 10, 200 << 10, 3 << 20} {
		k := bearer("Bearer client")
		k.headers["cookie"] = strings.Repeat("c", size)
		want := 200
		if size >= 64<<10 {
			want = 413
		}
		if o := x.do(t, k); o.status != want {
			t.Errorf("%d bytes: %+v, want %d", size, o, want)
		}
	}
}

// TestSlow: a message that does not arrive ends after two seconds or so, and leaves
// nothing behind.
func TestSlow(t *testing.T) {
	x, c := standard(t), h2(t)
	body, w := io.Pipe()
	defer w.Close()
	go func() { _, _ = w.Write(framed(0, nil)[:3]) }()
	begun := time.Now()
	if o := x.post(t, c, body); o.status != 400 {
		t.Errorf("%+v", o)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	endless, feed := io.Pipe()
	defer feed.Close()
	go func() {
		for {
			if _, err := feed.Write(bytes.Repeat([]byte{0}, 10)); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	begun = time.Now()
	if o := x.post(t, c, endless); o.passed || time.Since(begun) > 10*time.Second {
		t.Errorf("%+v after %v", o, time.Since(begun))
	}
	if o := x.do(t, bearer("Bearer client")); !o.passed {
		t.Errorf("afterward: %+v", o)
	}
}

// TestCrowd: of a thousand and more calls at once, those that are not served are refused
// with 503, none passes that must not, and all goroutines end.
func TestCrowd(t *testing.T) {
	g := &fakeGuard{block: make(chan struct{})}
	x := start(t, settings(t, "http://127.0.0.1:1", "rs", "gs_sandbox_AAAAAAAA_0123456789012345678901234567890123456789012"), g)
	const connections, calls, bound = 6, 250, 1_024
	before := runtime.NumGoroutine()
	var clients []auth.AuthorizationClient
	var closers []io.Closer
	for range connections {
		c := dial(t, x.target)
		clients, closers = append(clients, auth.NewAuthorizationClient(c)), append(closers, c)
	}
	var done sync.WaitGroup
	var passed, refused, failed atomic.Int64
	for _, client := range clients {
		for range calls {
			done.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				res, err := client.Check(ctx, bearer("Bearer client").request())
				switch {
				case err != nil:
					failed.Add(1)
				case res.GetStatus().GetCode() == 0:
					passed.Add(1)
				case res.GetDeniedResponse().GetStatus().GetCode() == 503:
					refused.Add(1)
				default:
					failed.Add(1)
				}
			})
		}
	}
	poll.AwaitTrue(t, patience, "many calls wait, and others are refused", func() bool { return g.most.Load() > bound/2 && refused.Load() > 0 })
	close(g.block)
	done.Wait()
	if g.most.Load() > bound || passed.Load() == 0 || failed.Load() > 0 || passed.Load()+refused.Load() != connections*calls {
		t.Errorf("%d at once, passed %d, refused %d, failed %d", g.most.Load(), passed.Load(), refused.Load(), failed.Load())
	}
	for _, c := range closers {
		_ = c.Close()
	}
	poll.AwaitTrue(t, patience, "the goroutines end", func() bool { return runtime.NumGoroutine() <= before+2 })
}

// TestManyConnections: connections of HTTP/2 are bounded. A call on one too many gets 503.
func TestManyConnections(t *testing.T) {
	x := standard(t)
	const most = 96
	for i := range most + 1 {
		c := dial(t, x.target)
		defer c.Close()
		res, err := auth.NewAuthorizationClient(c).Check(t.Context(), bearer("Bearer client").request())
		if err != nil {
			t.Fatal(err)
		}
		want := 200
		if i == most {
			want = 503
		}
		if o := apply(t, res, nil); o.status != want {
			t.Fatalf("connection %d: %+v, want %d", i+1, o, want)
		}
	}
}

// TestCancelled: a call that Envoy gives up ends here too.
func TestCancelled(t *testing.T) {
	x := standard(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := x.Check(ctx, bearer("Bearer hangs").request()); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("%v", err)
	}
	poll.AwaitTrue(t, time.Second, "the call ends", func() bool { return strings.Contains(x.logged.String(), "status=499") })
}
