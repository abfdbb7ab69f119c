package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// MasterName is the name that the sentinels of StartSentinel give the master.
const MasterName = "main"

// Sentinel is one master with two replicas, watched by three sentinels. They
// fail over within two or three seconds.
type Sentinel struct {
	Nodes     []*Server // the first master comes first
	Sentinels []*Server
}

// StartSentinel starts all servers and waits until each sentinel knows them.
// They stop with the test.
func StartSentinel(t testing.TB) *Sentinel {
	t.Helper()
	s := &Sentinel{}
	for i := range 3 {
		// Without the delay, the first replica need not wait for the second.
		args := []string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"}
		if i > 0 {
			args = append(args, "--replicaof", "127.0.0.1", s.Nodes[0].port())
		}
		s.Nodes = append(s.Nodes, Start(t, args...))
	}
	conf := fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]s 2\n"+
		"sentinel down-after-milliseconds %[1]s 2000\n"+
		"sentinel failover-timeout %[1]s 1000\n"+
		"sentinel parallel-syncs %[1]s 2\n", MasterName, s.Nodes[0].port())
	for range 3 {
		file := filepath.Join(t.TempDir(), "sentinel.conf") // the sentinel rewrites it
		if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		sentinel := Start(t, file, "--sentinel")
		hurry(t, sentinel)
		s.Sentinels = append(s.Sentinels, sentinel)
	}
	s.AwaitWhole(t)
	return s
}

// hurry makes a sentinel check ten times as often as by default, and not mistake
// a busy machine for a wrong clock.
func hurry(t testing.TB, sentinel *Server) {
	t.Helper()
	sentinel.Must(t, "sentinel", "debug", "info-period", "100", "publish-period", "100", "ping-period", "100",
		"ask-period", "100", "tilt-trigger", "20000")
}

// Addrs returns the addresses of the sentinels.
func (s *Sentinel) Addrs() []string { return addrs(s.Sentinels) }

// Master returns the node that the sentinels call the master now, or nil if they
// do not agree.
func (s *Sentinel) Master() *Server {
	var found *Server
	for _, sentinel := range s.Sentinels {
		if !sentinel.Serves() {
			continue
		}
		v, err := sentinel.Do("sentinel", "get-master-addr-by-name", MasterName)
		if err != nil || len(v) != 2 {
			return nil
		}
		n := byAddr(s.Nodes, net.JoinHostPort(v[0], v[1]))
		if n == nil || found != nil && found != n {
			return nil
		}
		found = n
	}
	return found
}

// Replicas returns all nodes except the master.
func (s *Sentinel) Replicas() []*Server {
	master := s.Master()
	var list []*Server
	for _, n := range s.Nodes {
		if n != master {
			list = append(list, n)
		}
	}
	return list
}

// AwaitPromotion waits until the sentinels and the node itself report a master
// other than old, and returns that master.
func (s *Sentinel) AwaitPromotion(t testing.TB, old *Server) *Server {
	t.Helper()
	var master *Server
	Await(t, "a replica is promoted", func() string {
		master = s.Master()
		if master == nil || master == old {
			return "the sentinels have no new master"
		}
		if v, err := master.Do("role"); err != nil || v[0] != "master" {
			return fmt.Sprintf("%s: %v %v", master.Addr, v, err)
		}
		return ""
	})
	return master
}

// AwaitWhole waits until every node serves and replicates, and every sentinel
// knows all of them.
func (s *Sentinel) AwaitWhole(t testing.TB) {
	t.Helper()
	Await(t, "the sentinels are whole", func() string {
		master := s.Master()
		if master == nil {
			return "no master"
		}
		if why := master.replicated(len(s.Nodes) - 1); why != "" {
			return why
		}
		for _, sentinel := range s.Sentinels {
			v, err := sentinel.Do("sentinel", "master", MasterName)
			if err != nil {
				return err.Error()
			}
			f := pairs(v)
			if f["flags"] != "master" || f["num-slaves"] != "2" || f["num-other-sentinels"] != "2" {
				return fmt.Sprint(f)
			}
			if _, err := sentinel.Do("sentinel", "ckquorum", MasterName); err != nil {
				return err.Error()
			}
		}
		return ""
	})
}

// Heal resumes or restarts every server that does not serve. Restarted nodes
// come back empty, as replicas of the current master.
func (s *Sentinel) Heal(t testing.TB) {
	t.Helper()
	for _, sentinel := range s.Sentinels {
		if !sentinel.Serves() {
			heal([]*Server{sentinel})
			hurry(t, sentinel)
		}
	}
	Await(t, "the sentinels have a master", func() string {
		if m := s.Master(); m == nil || !m.Serves() {
			return "none"
		}
		return ""
	})
	master := s.Master()
	for _, n := range s.Nodes {
		if n == master || n.Serves() {
			continue
		}
		n.args = []string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", "--replicaof", "127.0.0.1", master.port()}
		heal([]*Server{n})
	}
	s.AwaitWhole(t)
}

func addrs(servers []*Server) []string {
	list := make([]string, len(servers))
	for i, s := range servers {
		list[i] = s.Addr
	}
	return list
}

func byAddr(servers []*Server, addr string) *Server {
	for _, s := range servers {
		if s.Addr == addr {
			return s
		}
	}
	return nil
}

func pairs(v []string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(v); i += 2 {
		m[v[i]] = v[i+1]
	}
	return m
}
