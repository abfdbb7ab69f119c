package stream

import (
	"context"
	"sync"
	"time"

	"github.com/grantd/grantd/server/feed"
)

const (
	// checkEvery is how often credentials are checked that may have ended, and
	// checkAllEvery how often all of them: a replica that died may have changed a
	// record without an entry in the feed.
	checkEvery    = 100 * time.Millisecond
	checkAllEvery = time.Minute
	// checkTimeout is how long the check of a credential may take. Without a result,
	// the streams end: nobody knows whether they may go on. If the feed is not fresh
	// either, they stay silent, and the check is repeated until mostDoubt has passed.
	checkTimeout = 700 * time.Millisecond
	mostDoubt    = time.Minute
)

// group is the readers with one credential, which is checked for all of them.
type group struct {
	caller  Caller
	keys    []string // see Caller.principals
	readers map[*reader]struct{}
	ends    time.Time // see Standing.Ends
	doubt   bool      // something about the credential changed
	// silent is since when checks have failed while the feed is not fresh; 0: the last
	// one did not.
	silent time.Duration
}

// groups finds the credentials that a feed entry is about.
type groups struct {
	mu    sync.Mutex
	all   map[credential]*group
	named map[string]map[*group]struct{} // by principal
	wake  chan struct{}
}

func (g *groups) init() {
	g.all, g.named = map[credential]*group{}, map[string]map[*group]struct{}{}
	g.wake = make(chan struct{}, 1)
}

// join adds a reader.
func (g *groups) join(r *reader) {
	g.mu.Lock()
	defer g.mu.Unlock()
	id := r.caller.credential()
	in := g.all[id]
	if in == nil {
		in = &group{caller: r.caller, keys: r.caller.principals(), readers: map[*reader]struct{}{}}
		g.all[id] = in
		for _, key := range in.keys {
			if g.named[key] == nil {
				g.named[key] = map[*group]struct{}{}
			}
			g.named[key][in] = struct{}{}
		}
	}
	// It was authenticated before it joined: what changed meanwhile was not noted.
	in.doubt = true
	in.readers[r] = struct{}{}
	r.group = in
	g.notify()
}

// leave removes a reader.
func (g *groups) leave(r *reader) {
	g.mu.Lock()
	defer g.mu.Unlock()
	in := r.group
	if in == nil {
		return
	}
	delete(in.readers, r)
	if len(in.readers) > 0 {
		return
	}
	delete(g.all, in.caller.credential())
	for _, key := range in.keys {
		delete(g.named[key], in)
		if len(g.named[key]) == 0 {
			delete(g.named, key)
		}
	}
}

// note marks the credentials that the entries are about; with all, every one.
func (g *groups) note(entries []feed.Applied, all bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	found := all
	for i := range entries {
		for in := range g.named[entries[i].Key] {
			in.doubt, found = true, true
		}
	}
	if all {
		for _, in := range g.all {
			in.doubt = true
		}
	}
	if found {
		g.notify()
	}
}

func (g *groups) notify() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// inDoubt returns the groups whose credentials must be checked.
func (g *groups) inDoubt(now time.Time, all bool) (list []*group) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, in := range g.all {
		if all || in.doubt || !in.ends.IsZero() && !now.Before(in.ends) {
			in.doubt = false
			list = append(list, in)
		}
	}
	return list
}

// wait has the group checked again, and reports whether its readers may wait for that.
func (g *groups) wait(in *group, now time.Duration) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if in.silent == 0 {
		in.silent = now
	}
	in.doubt = true
	return now-in.silent < mostDoubt
}

// members returns the readers of the group, and notes when the credential ends.
func (g *groups) members(in *group, ends time.Time) (list []*reader) {
	g.mu.Lock()
	defer g.mu.Unlock()
	in.ends, in.silent = ends, 0
	for r := range in.readers {
		list = append(list, r)
	}
	return list
}

// watchGroups checks credentials until Stop.
func (h *Hub) watchGroups() {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	checked := h.clock()
	for {
		select {
		case <-h.life.Done():
			return
		case <-h.groups.wake:
		case <-tick.C:
		}
		all := h.clock()-checked > checkAllEvery
		if all {
			checked = h.clock()
		}
		h.checkGroups(h.groups.inDoubt(h.o.Now(), all))
	}
}

// checkAtOnce is how many credentials are checked at the same time: a check may read
// from the store.
const checkAtOnce = 16

func (h *Hub) checkGroups(list []*group) {
	slots := make(chan struct{}, checkAtOnce)
	var all sync.WaitGroup
	for _, in := range list {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			h.checkGroup(in)
		})
	}
	all.Wait()
}

// checkGroup ends the streams whose credential has ended, and tells the others if
// their registration has changed.
func (h *Hub) checkGroup(in *group) {
	ctx, cancel := context.WithTimeout(h.life, checkTimeout)
	defer cancel()
	standing, err := h.o.Recheck(ctx, &in.caller)
	if _, fresh := h.o.Feed.Confirmed(); err != nil && !fresh && h.groups.wait(in, h.clock()) {
		return
	}
	for _, r := range h.groups.members(in, standing.Ends) {
		switch {
		case err != nil:
			r.end(EndUnchecked)
		case standing.Client == nil || !r.caller.admits(standing.Client, r.from):
			r.end(EndCredential)
		default:
			r.register(standing.Client)
		}
	}
}
