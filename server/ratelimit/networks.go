package ratelimit

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/grantd/grantd/server/coalesce"
	"github.com/grantd/grantd/server/trouble"
	"github.com/grantd/grantd/store"
)

const (
	maxNetworkClients = 10_000          // clients whose networks are in memory
	unknownAge        = 2 * time.Second // for which an unknown network is not looked up again
	knownAge          = time.Minute     // for which a known one is not: the client may be another one by then
	learnEvery        = time.Second     // for one write of what was learned
	maxLearned        = 10_000          // networks that wait for a write
	learnTimeout      = 5 * time.Second
)

// NetworksOptions are what Networks needs.
type NetworksOptions struct {
	Store store.Uses
	// Key hides addresses in the store; all replicas have the same.
	Key []byte
	Log *slog.Logger
}

// Networks knows from which networks each client authenticated before, across
// restarts and replicas. It is used only for clients with imported secrets. The
// store has a keyed digest of each network. Safe for concurrent use.
type Networks struct {
	o       NetworksOptions
	sums    *keyedSums
	reading coalesce.Group[string, map[string]bool]
	clients *otter.Cache[string, *clientNetworks]
	lookups *trouble.Log
	writes  *trouble.Log

	mu      sync.Mutex
	pending map[string][]string // client id → networks to write
	waiting int

	wake, stop, done chan struct{}
}

// clientNetworks is what is known about one client. It is not changed once it is
// in the cache.
type clientNetworks struct {
	set  map[string]bool
	read time.Time // zero: never
}

// NewNetworks returns a Networks; Start begins writing.
func NewNetworks(o NetworksOptions) *Networks {
	return &Networks{
		o: o, sums: newKeyedSums(o.Key), pending: map[string][]string{},
		clients: otter.Must(&otter.Options[string, *clientNetworks]{MaximumSize: maxNetworkClients}),
		lookups: trouble.New(o.Log, "networks of clients: not read", "networks of clients: read again"),
		writes:  trouble.New(o.Log, "networks of clients: not written, will be tried again", "networks of clients: written again"),
		wake:    make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
}

// Known reports whether the client authenticated from the network of the address
// before. It reads the store at most once in two seconds for each client. If the
// store cannot be reached, it says what it last knew. An address that could not
// be read is never known.
func (n *Networks) Known(ctx context.Context, clientID string, from netip.Addr) bool {
	digest, ok := n.digest(clientID, Network(from))
	if !ok {
		return false
	}
	known, _ := n.clients.GetIfPresent(clientID)
	if known != nil {
		age := unknownAge
		if known.set[digest] {
			age = knownAge
		}
		if time.Since(known.read) < age {
			return known.set[digest]
		}
	}
	shared := context.WithoutCancel(ctx)
	set, _, _, err := n.reading.Do(ctx, clientID, func(int) (map[string]bool, error) { return n.read(shared, clientID) })
	if err != nil {
		n.lookups.Failed(ctx, err, "client_id", clientID)
		return known != nil && known.set[digest]
	}
	n.lookups.Worked(ctx)
	return set[digest]
}

// read reads the client's networks, and the address of the last use of each of
// its secrets, which an older grantd recorded too.
func (n *Networks) read(ctx context.Context, clientID string) (map[string]bool, error) {
	began := time.Now()
	list, err := n.o.Store.ListNetworks(ctx, clientID)
	if err != nil {
		return nil, err
	}
	uses, err := n.o.Store.ListUses(ctx, store.PrincipalClient(clientID))
	if err != nil {
		return nil, err
	}
	set := map[string]bool{}
	for _, digest := range list {
		set[digest] = true
	}
	for _, use := range uses {
		if from, err := netip.ParseAddr(use.LastIP); err == nil {
			if digest, ok := n.digest(clientID, Network(from)); ok {
				set[digest] = true
			}
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, digest := range n.pending[clientID] {
		set[digest] = true
	}
	n.clients.Set(clientID, &clientNetworks{set, began})
	return set, nil
}

// Learn records that the client has authenticated from the address. It does not
// wait for the store.
func (n *Networks) Learn(clientID string, from netip.Addr) {
	digest, ok := n.digest(clientID, Network(from))
	if !ok {
		return
	}
	if known, _ := n.clients.GetIfPresent(clientID); known != nil && known.set[digest] {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	known, _ := n.clients.GetIfPresent(clientID)
	next := &clientNetworks{set: map[string]bool{digest: true}}
	if known != nil {
		if known.set[digest] {
			return
		}
		next.read = known.read
		if len(known.set) < 2*store.MaxNetworks {
			for d := range known.set {
				next.set[d] = true
			}
		}
	}
	n.clients.Set(clientID, next)
	if n.waiting >= maxLearned {
		return
	}
	n.pending[clientID] = append(n.pending[clientID], digest)
	n.waiting++
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Start writes what is learned until Stop.
func (n *Networks) Start() {
	go func() {
		defer close(n.done)
		for {
			select {
			case <-n.wake:
				n.flush()
			case <-n.stop:
				n.flush()
				return
			}
			select {
			case <-time.After(learnEvery):
			case <-n.stop:
				n.flush()
				return
			}
		}
	}()
}

// Stop writes what is left and waits for that.
func (n *Networks) Stop() {
	close(n.stop)
	<-n.done
}

// flush writes what was learned. What could not be written is tried again.
func (n *Networks) flush() {
	n.mu.Lock()
	pending := n.pending
	n.pending, n.waiting = map[string][]string{}, 0
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), learnTimeout)
	defer cancel()
	failed := false
	for clientID, list := range pending {
		err := n.o.Store.AddNetworks(ctx, clientID, list...)
		if err == nil {
			continue
		}
		failed = true
		n.writes.Failed(ctx, err, "client_id", clientID)
		n.mu.Lock()
		if n.waiting+len(list) <= maxLearned {
			n.pending[clientID] = append(list, n.pending[clientID]...)
			n.waiting += len(list)
		}
		n.mu.Unlock()
		select {
		case n.wake <- struct{}{}:
		default:
		}
	}
	if !failed && len(pending) > 0 {
		n.writes.Worked(ctx)
	}
}

// digest returns what the store has of a network. It differs from client to
// client. ok is false for an unknown network.
func (n *Networks) digest(clientID, network string) (digest string, ok bool) {
	if network == "" {
		return "", false
	}
	sum := n.sums.sum("n", clientID, network)
	return base64.RawURLEncoding.EncodeToString(sum[:12]), true
}
