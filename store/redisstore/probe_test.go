package redisstore_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store/storetest/redistest"
)

// infoOf returns one section of INFO.
func infoOf(ctx context.Context, r *redis.Client, section string) map[string]string {
	return parseLines(r.Info(ctx, section).Val())
}

func parseLines(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}

func port(t *testing.T, s *redistest.Server) string {
	t.Helper()
	_, p, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
