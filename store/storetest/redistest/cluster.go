package redistest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	slots   = 16384
	masters = 3
)

// Cluster is three masters with one replica each. They fail over within about
// five seconds. With a shorter timeout, a busy machine would cause failovers.
type Cluster struct {
	Nodes []*Server // the first masters, then the first replica of each
}

// StartCluster starts all nodes and waits until the Cluster is whole. They stop
// with the test.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{}
	for range 2 * masters {
		c.Nodes = append(c.Nodes, Start(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "3000",
			"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
			// A node that was down for long may still take over: tests kill
			// often.
			"--cluster-replica-validity-factor", "0", "--cluster-allow-replica-migration", "no"))
	}
	for i, n := range c.Nodes {
		n.Must(t, "cluster", "set-config-epoch", strconv.Itoa(i+1))
		if i < masters {
			n.Must(t, "cluster", "addslotsrange", strconv.Itoa(i*slots/masters), strconv.Itoa((i+1)*slots/masters-1))
		}
		if i > 0 {
			n.Must(t, "cluster", "meet", "127.0.0.1", c.Nodes[0].port())
		}
	}
	for i, n := range c.Nodes[masters:] {
		id := c.Nodes[i].text("cluster", "myid")
		Await(t, "a replica knows its master", func() string {
			if _, err := n.Do("cluster", "replicate", id); err != nil {
				return err.Error()
			}
			return ""
		})
	}
	c.AwaitWhole(t)
	return c
}

// Addrs returns the addresses of all nodes.
func (c *Cluster) Addrs() []string { return addrs(c.Nodes) }

// self is what a node reports about itself.
type self struct {
	id, master string // master is the id of a replica's master
	isMaster   bool
	slots      [][2]int
}

func (s *Server) self() (self, bool) {
	for line := range strings.Lines(s.text("cluster", "nodes")) {
		f := strings.Fields(line)
		if len(f) < 8 || !strings.Contains(f[2], "myself") {
			continue
		}
		me := self{id: f[0], master: f[3], isMaster: strings.Contains(f[2], "master")}
		for _, r := range f[8:] {
			from, to, ranged := strings.Cut(r, "-")
			if strings.HasPrefix(r, "[") {
				continue // the slot is moving
			}
			if !ranged {
				to = from
			}
			a, _ := strconv.Atoi(from)
			b, _ := strconv.Atoi(to)
			me.slots = append(me.slots, [2]int{a, b})
		}
		return me, true
	}
	return self{}, false
}

func (m self) holds(slot int) bool {
	return slices.ContainsFunc(m.slots, func(r [2]int) bool { return r[0] <= slot && slot <= r[1] })
}

// Slot returns the slot of the key.
func (c *Cluster) Slot(t testing.TB, key string) int {
	t.Helper()
	for _, n := range c.Nodes {
		if n.Serves() {
			slot, _ := strconv.Atoi(n.Must(t, "cluster", "keyslot", key)[0])
			return slot
		}
	}
	t.Fatal("redistest: no node serves")
	return 0
}

// Masters returns the nodes that are serving masters with slots.
func (c *Cluster) Masters() []*Server {
	var list []*Server
	for _, n := range c.Nodes {
		if !n.Serves() {
			continue
		}
		if me, ok := n.self(); ok && me.isMaster && len(me.slots) > 0 {
			list = append(list, n)
		}
	}
	return list
}

// Master returns the serving node that holds the slot, or nil if there is none.
func (c *Cluster) Master(slot int) *Server {
	for _, n := range c.Masters() {
		if me, _ := n.self(); me.holds(slot) {
			return n
		}
	}
	return nil
}

// Replica returns the serving replica of the master.
func (c *Cluster) Replica(t testing.TB, master *Server) *Server {
	t.Helper()
	id := master.text("cluster", "myid")
	for _, n := range c.Nodes {
		if !n.Serves() {
			continue
		}
		if me, ok := n.self(); ok && !me.isMaster && me.master == id {
			return n
		}
	}
	t.Fatalf("redistest: %s has no replica", master.Addr)
	return nil
}

// AwaitPromotion waits for a serving master of the slot other than old, and
// until every serving node calls the Cluster whole. It returns the master.
func (c *Cluster) AwaitPromotion(t testing.TB, slot int, old *Server) *Server {
	t.Helper()
	var master *Server
	Await(t, "a replica is promoted", func() string {
		master = c.Master(slot)
		if master == nil || master == old {
			return "no other master holds the slot"
		}
		return c.state()
	})
	return master
}

// state returns "" if every serving node calls the Cluster whole.
func (c *Cluster) state() string {
	for _, n := range c.Nodes {
		if info := n.serving("cluster", "info"); n.Serves() && !strings.Contains(info, "cluster_state:ok") {
			return n.Addr + ": " + info
		}
	}
	return ""
}

// serving is text, but does not wait for a server that does not serve.
func (s *Server) serving(args ...string) string {
	if !s.Serves() {
		return ""
	}
	return s.text(args...)
}

// AwaitDown waits until some serving node calls the Cluster down.
func (c *Cluster) AwaitDown(t testing.TB) {
	t.Helper()
	Await(t, "the Cluster is down", func() string {
		if c.state() == "" {
			return "every node calls it whole"
		}
		return ""
	})
}

// AwaitWhole waits until every node serves, all slots are held, each master has
// an up-to-date replica, and all nodes agree on that.
func (c *Cluster) AwaitWhole(t testing.TB) {
	t.Helper()
	Await(t, "the Cluster is whole", func() string {
		held, list := 0, c.Masters()
		for _, n := range list {
			me, _ := n.self()
			for _, r := range me.slots {
				held += r[1] - r[0] + 1
			}
			if why := n.replicated(1); why != "" {
				return why
			}
		}
		if held != slots || len(list) != masters {
			return fmt.Sprintf("%d slots at %d masters", held, len(list))
		}
		for _, n := range c.Nodes {
			info := n.serving("cluster", "info")
			for _, want := range []string{"cluster_state:ok", "cluster_slots_ok:16384", "cluster_known_nodes:6", "cluster_size:3"} {
				if !strings.Contains(info, want) {
					return n.Addr + ": " + info
				}
			}
			if text := n.serving("cluster", "nodes"); strings.Contains(text, "fail") || strings.Contains(text, "handshake") {
				return n.Addr + ": " + text
			}
		}
		return ""
	})
}

// Heal resumes or restarts every node that does not serve, and waits until the
// Cluster is whole. Restarted nodes come back empty.
func (c *Cluster) Heal(t testing.TB) {
	t.Helper()
	heal(c.Nodes)
	c.AwaitWhole(t)
}

// Migrate moves the slot to the other master, as `redis-cli --cluster reshard`
// does. It calls between while the slot is moving: before any key has moved,
// after each key, and before the other nodes know of the move.
func (c *Cluster) Migrate(t testing.TB, slot int, to *Server, between func()) {
	t.Helper()
	from, no := c.Master(slot), strconv.Itoa(slot)
	source, target := from.text("cluster", "myid"), to.text("cluster", "myid")
	to.Must(t, "cluster", "setslot", no, "importing", source)
	from.Must(t, "cluster", "setslot", no, "migrating", target)
	between()
	const most = 1000 // keys
	for range most {
		keys := from.Must(t, "cluster", "getkeysinslot", no, "1")
		if len(keys) == 0 {
			break
		}
		from.Must(t, "migrate", "127.0.0.1", to.port(), "", "0", "1000", "keys", keys[0])
		between()
	}
	for _, n := range append([]*Server{to, from}, c.Masters()...) {
		n.Must(t, "cluster", "setslot", no, "node", target)
	}
}
