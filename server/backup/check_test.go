package backup_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/backup"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

func TestCheckOfASoundStore(t *testing.T) {
	t.Parallel()
	for kind, open := range kinds {
		s := open(t)
		fill(t, s)
		r, err := backup.Check(t.Context(), s, options)
		ok(t, err)
		if r.Problems != 0 || len(r.Findings) != 0 || r.Counts[store.SectionTokens] != 5 || r.Counts[store.SectionClients] != 2 {
			t.Errorf("%s: %+v", kind, r)
		}
	}
}

// TestCheckFindsDamage damages what Redis keeps.
func TestCheckFindsDamage(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	s, err := redisstore.Open(t.Context(), redisstore.Options{Addresses: []string{redis.Addr}, KeyPrefix: "grantd:"})
	ok(t, err)
	defer s.Close()
	fill(t, s)
	c := harness.DialRedis(t, redis.Addr)
	d := digest(1)
	c.Do(t, "HSET", "grantd:c:a", "d", "garbage")
	c.Do(t, "HSET", "grantd:c:b", "d", `{"v":1,"id":"c","version":1}`)
	c.Do(t, "ZREM", "grantd:customers", "10001")
	c.Do(t, "SET", "grantd:t:"+string(d[:]), "garbage")
	c.Do(t, "HSET", "grantd:v:"+string(d[:]), "n", "garbage")
	c.Do(t, "HSET", "grantd:w:10001", "t", "garbage")
	c.Do(t, "XADD", "grantd:audit", "*", "e", "garbage")
	c.Do(t, "DEL", "grantd:keys")
	r, err := backup.Check(t.Context(), s, options)
	ok(t, err)
	var got []string
	for _, f := range r.Findings {
		got = append(got, string(f.Section)+" "+f.Key+" "+f.Problem)
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{
		"clients a client record: record of a newer version: not readable", `clients b client record: record of a newer version: it is that of "c"`,
		"customers 10001 the index does not have it", "tokens 6b86b273ff34fce1", "challenges 6b86b273ff34fce1", "guesses 10001 ", "audit ", "token_keys  there is no key",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q was not found in\n%s", want, all)
		}
	}
	if r.Problems != 8 {
		t.Errorf("%d problems:\n%s", r.Problems, all)
	}
	_, err = backup.Export(t.Context(), s, new(bytes.Buffer), options)
	if err == nil || !strings.Contains(err.Error(), "`grantd store check` lists all records that cannot be read") {
		t.Errorf("a backup of the damaged store: %v", err)
	}
}
