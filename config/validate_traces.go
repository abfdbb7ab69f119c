package config

import "net/url"

const maxSampleOneIn = 1_000_000

func (v *validator) traces(c Config) {
	const path = "traces.endpoint"
	if n := c.Traces.SampleOneIn; n < 1 || n > maxSampleOneIn {
		v.add("traces.sample_one_in", "must be from 1 to %d", maxSampleOneIn)
	}
	if c.Traces.Endpoint == "" {
		if c.Traces.HeadersFile != "" {
			v.add("traces.headers_file", "has no effect without traces.endpoint: set that, or leave it empty")
		}
		return
	}
	if problem := urlProblem(c.Traces.Endpoint); problem != "" {
		v.add(path, "%s", problem)
	}
}

// traces warns if others can read what the collector gets.
func (w *warner) traces(c Config) {
	u, err := url.Parse(c.Traces.Endpoint)
	if c.Traces.Endpoint == "" || err != nil || u.Scheme == "https" || isLoopback(hostPort(u)) {
		return
	}
	w.add("traces.endpoint", "is on another machine without TLS: anyone on the way can read the traces, and the headers of traces.headers_file; use https")
}

// hostPort returns the host with a port, as isLoopback needs it.
func hostPort(u *url.URL) string {
	if u.Port() == "" {
		return u.Host + ":4318"
	}
	return u.Host
}
