package conns

import (
	"cmp"
	"slices"
	"time"
)

// reapNetwork removes up to most idle connections of the network, those that have
// been idle for the longest first. The caller holds mu, and closes them after it
// has released it.
func (l *Listener) reapNetwork(n *network, most int) []*Conn {
	if time.Since(n.searched) < searchEvery {
		return nil
	}
	n.searched = time.Now()
	victims := l.idleOf(nil, n)
	return l.removeOldest(victims, most, func(c *Conn) int64 { return c.idle.Load() })
}

// idleOf appends the idle connections of the network.
func (l *Listener) idleOf(idle []*Conn, n *network) []*Conn {
	before := int64(l.now() - minIdle)
	for _, c := range n.conns {
		if since := c.idle.Load(); since != 0 && since <= before {
			idle = append(idle, c)
		}
	}
	return idle
}

// removeOldest removes up to most of the connections, those with the earliest time
// first, and returns them.
func (l *Listener) removeOldest(conns []*Conn, most int, since func(*Conn) int64) []*Conn {
	slices.SortFunc(conns, func(a, b *Conn) int { return cmp.Compare(since(a), since(b)) })
	conns = conns[:min(most, len(conns))]
	for _, c := range conns {
		l.remove(c)
	}
	return conns
}

// reapAny removes idle connections: first those that never had a request, then those
// of the networks that have more than an equal share, then, if the listener is full,
// any. It leaves proxies alone. The caller holds mu, as for reapNetwork.
func (l *Listener) reapAny(full bool) []*Conn {
	if time.Since(l.searched) < searchEvery {
		return nil
	}
	l.searched = time.Now()
	equal := max(l.open/max(1, len(l.networks)), fewConns)
	var unused, large, all []*Conn
	for _, n := range l.networks {
		if n.exempt {
			continue
		}
		for _, c := range l.idleOf(nil, n) {
			switch {
			case c.early.Load() >= 0:
				unused = append(unused, c)
			case len(n.conns) > equal || l.wide[n.wide] > equal:
				large = append(large, c)
			case full:
				all = append(all, c)
			}
		}
	}
	for _, victims := range [...][]*Conn{unused, large, all} {
		if len(victims) > 0 {
			return l.removeOldest(victims, reapMany, func(c *Conn) int64 { return c.idle.Load() })
		}
	}
	return nil
}

func closeAll(conns []*Conn) {
	for _, c := range conns {
		_ = c.lazyConn.Close()
	}
}
