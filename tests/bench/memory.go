package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// memory is the memory of grantd on Redis.
type memory struct {
	Resident    int64    `json:"resident_bytes"` // after the mixed load, with few tokens cached
	Few         heapSeen `json:"few"`
	Many        heapSeen `json:"many"`
	PerToken    float64  `json:"bytes_per_token"`          // from the heap
	PerTokenRes float64  `json:"bytes_per_token_resident"` // from resident memory
}

// heapSeen is the observed heap with a number of cached tokens.
type heapSeen struct {
	Cached      int     `json:"cached"`
	InUse       float64 `json:"heap_in_use_bytes"` // the minimum
	Resident    int64   `json:"resident_bytes"`
	Collections int     `json:"collections"` // garbage collections in this time
}

const (
	fewCached  = 10_000
	manyCached = 100_000 // default size of the cache
	heapConns  = 8       // of the load that creates garbage while the heap is observed

	collections       = 3 // garbage collections until the minimum of the heap counts as its size
	metricCollections = "go_gc_duration_seconds_count"
	metricHeap        = "go_memstats_heap_inuse_bytes"
)

// memoryMethod describes the method in the report.
const memoryMethod = "Heap: the least go_memstats_heap_inuse_bytes of /metrics, read each 20 ms while made-up tokens are asked about " +
	"(they make garbage and are not cached), until the collector ran three times. " +
	"Cached: introspected once each; those that were read from Redis when asked about again do not count."

// memory measures it with a separate Redis and grantd.
func (b *bench) memory(ctx context.Context) (m memory, err error) {
	defer b.lab.endAll()
	b.lab.say("memory")
	t, g, err := b.memoryTarget(ctx)
	if err != nil {
		return m, err
	}
	few, err := cached(ctx, t, g, g.tokens.part(0, fewCached))
	if err != nil {
		return m, err
	}
	if _, err := b.load(ctx, t, named("mixed"), usualConns, b.o.took); err != nil {
		return m, err
	}
	if m.Resident, err = resident(g.pid()); err != nil {
		return m, err
	}
	if m.Few, err = b.heap(ctx, t, g, few); err != nil {
		return m, err
	}
	many, err := cached(ctx, t, g, g.tokens)
	if err != nil {
		return m, err
	}
	if m.Many, err = b.heap(ctx, t, g, many); err != nil {
		return m, err
	}
	if many <= few {
		return m, fmt.Errorf("memory: %d tokens are cached after %d", many, few)
	}
	more := float64(many - few)
	m.PerToken = (m.Many.InUse - m.Few.InUse) / more
	m.PerTokenRes = float64(m.Many.Resident-m.Few.Resident) / more
	return m, nil
}

func (b *bench) memoryTarget(ctx context.Context) (*target, *grantd, error) {
	redis, err := startRedis(ctx, b.lab, "memory-redis-server")
	if err != nil {
		return nil, nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, nil, err
	}
	g := &grantd{lab: b.lab, name: "memory", redis: redis, settings: settings{metrics: "127.0.0.1:" + port}}
	if err := g.prepare(ctx, manyCached, 1); err != nil {
		return nil, nil, err
	}
	if _, err := g.begin(ctx); err != nil {
		return nil, nil, err
	}
	return &target{name: "memory", redis: redis, fleet: map[variant]*grantd{plain: g}, offsets: map[string]int64{}}, g, nil
}

// cached introspects each token of the list twice, and returns how many of them
// did not need Redis the second time.
func cached(ctx context.Context, t *target, g *grantd, list tokenList) (int, error) {
	if err := fill(ctx, g, list); err != nil {
		return 0, err
	}
	before, err := t.redis.commands()
	if err != nil {
		return 0, err
	}
	if err := fill(ctx, g, list); err != nil {
		return 0, err
	}
	after, err := t.redis.commands()
	return list.count - int(after["get"]-before["get"]), err
}

// heap observes the heap under loads of made-up tokens.
func (b *bench) heap(ctx context.Context, t *target, g *grantd, cached int) (heapSeen, error) {
	seen := heapSeen{Cached: cached, InUse: math.Inf(1)}
	url := "http://" + g.settings.metrics + "/metrics"
	start, err := scrape(ctx, url)
	if err != nil {
		return seen, err
	}
	for limit := time.Now().Add(time.Minute); seen.Collections < collections; {
		if time.Now().After(limit) {
			return seen, fmt.Errorf("memory: %d collections of garbage in a minute", seen.Collections)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := b.load(ctx, t, named("garbage"), heapConns, time.Second)
			ended <- err
		}()
		if err := errors.Join(seen.watch(ctx, url, ended), <-ended); err != nil {
			return seen, err
		}
		now, err := scrape(ctx, url)
		if err != nil {
			return seen, err
		}
		seen.Collections = int(now[metricCollections] - start[metricCollections])
	}
	seen.Resident, err = resident(g.pid())
	return seen, err
}

// watch reads the heap until the load ends, and does not read its error from
// ended.
func (h *heapSeen) watch(ctx context.Context, url string, ended <-chan error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for len(ended) == 0 {
		values, err := scrape(ctx, url)
		if err != nil {
			return err
		}
		h.InUse = min(h.InUse, values[metricHeap])
		<-tick.C
	}
	return nil
}

// scrape reads the metrics that have no labels.
func scrape(ctx context.Context, url string) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return parseMetrics(res.Body)
}

func parseMetrics(r io.Reader) (map[string]float64, error) {
	values := map[string]float64{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, text, ok := strings.Cut(lines.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") || strings.Contains(name, "{") {
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
		values[name] = v
	}
	return values, lines.Err()
}
