package config

import (
	"net"
	"net/url"
)

const maxSampleOneIn = 1_000_000

func (v *validator) traces(c Config) {
	if n := c.Traces.SampleOneIn; n < 1 || n > maxSampleOneIn {
		v.add("traces.sample_one_in", "must be from 1 to %d", maxSampleOneIn)
	}
	if c.Traces.Endpoint == "" {
		if c.Traces.HeadersFile != "" {
			v.add("traces.headers_file", "has no effect without traces.endpoint: set that, or leave it empty")
		}
		return
	}
	// A collector on this machine often has no TLS.
	v.endpoint("traces.endpoint", c.Traces.Endpoint, c.Live() && !onThisMachine(c.Traces.Endpoint))
}

// traces warns if others can read what the collector gets.
func (w *warner) traces(c Config) {
	if c.Traces.Endpoint == "" || isHTTPS(c.Traces.Endpoint) || onThisMachine(c.Traces.Endpoint) {
		return
	}
	w.add("traces.endpoint", "is on another machine without TLS: anyone on the way can read the traces, and the headers of traces.headers_file; use https")
}

// onThisMachine reports whether the host of a URL is loopback.
func onThisMachine(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && isLoopback(net.JoinHostPort(u.Hostname(), u.Port()))
}
