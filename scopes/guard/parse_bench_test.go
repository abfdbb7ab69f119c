package guard

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

// ofClient is a response as grantd sends it about a token of a client, with follow=true.
var ofClient = `{"active":true,"scope":"users:read users:write","client_id":"shop","token_type":"Bearer","exp":1687522822,"iat":1687436422,` +
	`"sub":"client:shop","aud":"https://a.example.com","iss":"https://auth.example.com","jti":"8mB2","token_use":"client","org_id":"h5D8B5gyHtk=",` +
	`"void_keys":["` + key(1) + `","` + key(2) + `","` + key(3) + `","` + key(4) + `"],"feed_position":"` + at(5) + `","feed_age_ms":120}`

// followed is onBehalf with keys and a position that can be read.
var followed = strings.NewReplacer("BBBBBBBBBBA", key(2), "0123456789abcdefghijklmnop", at(5)).Replace(onBehalf)

func BenchmarkParse(b *testing.B) {
	for name, body := range map[string]string{"client": ofClient, "on behalf": followed, "inactive": inactiveRaw} {
		b.Run(name, func(b *testing.B) {
			text := []byte(body)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parseVerdict(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCachedBytes reports what a cached token takes of the heap.
func BenchmarkCachedBytes(b *testing.B) {
	for name, body := range map[string]string{"client": ofClient, "on behalf": followed} {
		b.Run(name, func(b *testing.B) {
			const n = 10_000
			var total uint64
			for b.Loop() {
				c := newCache(2 * n)
				before := liveHeap()
				for i := range n {
					a, err := parseVerdict([]byte(strings.Replace(body, `"8mB2"`, fmt.Sprintf(`"8mB2%020d"`, i), 1)))
					if err != nil {
						b.Fatal(err)
					}
					a.deadline = time.Hour
					c.set(keyOf(fmt.Sprint(i), netip.Addr{}), a)
				}
				total += liveHeap() - before
				runtime.KeepAlive(c)
			}
			b.ReportMetric(float64(total)/float64(b.N)/n, "bytes/token")
		})
	}
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
