package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// Options says where a store is and how it keeps its records.
type Options struct {
	// Path is the folder that holds grantd.db. If it is missing, it is made with
	// mode 0700. The file has mode 0600.
	Path string
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Elapsed is the monotonic clock: the time since any fixed point; nil: that of
	// the process.
	Elapsed func() time.Duration
	// AuditRetention is how long audit events are kept; 0: forever. Old events
	// are dropped when new ones are appended.
	AuditRetention time.Duration
	// AuditMaxEvents is how many events each stream of the audit keeps; 0: all.
	AuditMaxEvents int
	// OnCommit is called with the number of writes that shared a commit; nil: it
	// is not called. It must not block.
	OnCommit func(writes int)
	// Logger gets what an operator should know about; nil: nothing is logged.
	Logger *slog.Logger
}

// Store is a store.Store in one file.
type Store struct {
	db             *bbolt.DB
	now            func() time.Time
	clock          *store.SteadyClock // what has expired by it has expired for good
	auditRetention time.Duration
	auditMaxEvents int
	onCommit       func(writes int)
	log            *slog.Logger

	clients       records[store.Client]
	orgs          records[store.Org]
	customers     records[store.Customer]
	partners      records[store.Partner]
	partnerTokens records[store.PartnerTokenOwner]
	apiKeys       records[store.APIKey]
	grants        records[store.Grant]
	holds         records[store.Hold]
	noticeQueues  records[store.NoticeQueue]
	signingKeys   records[store.SigningKeys]

	index   index // of the tokens on the disk
	decoded store.ClientMemo
	fed     bell // rings when the feed grows
	limits  limits
	pinged  atomic.Int64 // when Ping last wrote, Unix nanoseconds

	queue   chan *write
	closing chan struct{} // closed: no new calls are accepted
	stopped chan struct{} // closed: the writer has ended
	close   sync.Once
	failed  atomic.Pointer[failure] // nil: the last commits have succeeded

	// Only the writer uses these.
	witness         *witness
	lostTx          int       // the transaction whose commit failed, or 0
	sweptChallenges time.Time // when expired challenges were last dropped
}

var _ store.Store = (*Store)(nil)

// sweep is how often expired tokens are dropped when nothing is written.
const sweep = time.Minute

// Open opens the store in a folder, and makes it if it is missing. It reads all
// tokens, which takes about 0.3 s per million.
//
// Errors: store.ErrUnavailable (also when another process has the file open),
// store.ErrNewerFormat, store.ErrUnsuitable for a file of another program.
func Open(o Options) (*Store, error) { return openSweeping(o, sweep) }

func openSweeping(o Options, sweep time.Duration) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.OnCommit == nil {
		o.OnCommit = func(int) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	db, err := openFile(o.Path, o.Logger)
	if err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	s := &Store{
		db:             db,
		now:            o.Now,
		clock:          store.NewSteadyClock(o.Now, o.Elapsed),
		auditRetention: o.AuditRetention,
		auditMaxEvents: o.AuditMaxEvents,
		onCommit:       o.OnCommit,
		log:            o.Logger,
		queue:          make(chan *write, maxBatch),
		closing:        make(chan struct{}),
		stopped:        make(chan struct{}),
	}
	s.clients = records[store.Client]{store.ClientKind, s, bucketClients, s.decoded.Decode, store.PrincipalClient, nil}
	s.orgs = records[store.Org]{store.OrgKind, s, bucketOrgs, nil, nil, nil}
	s.customers = records[store.Customer]{store.CustomerKind, s, bucketCustomers, nil, nil, bucketCustomerGroups}
	s.partners = records[store.Partner]{store.PartnerKind, s, bucketPartners, nil, store.PrincipalPartner, nil}
	s.partnerTokens = records[store.PartnerTokenOwner]{store.PartnerTokenKind, s, bucketPartnerTokens, nil, nil, nil}
	s.apiKeys = records[store.APIKey]{store.APIKeyKind, s, bucketAPIKeys, nil, store.PrincipalKey, bucketAPIKeyGroups}
	s.grants = records[store.Grant]{store.GrantKind, s, bucketGrants, nil, nil, nil}
	s.holds = records[store.Hold]{store.HoldKind, s, bucketHolds, nil, nil, nil}
	s.noticeQueues = records[store.NoticeQueue]{store.NoticeQueueKind, s, bucketNoticeQueues, nil, nil, nil}
	s.signingKeys = records[store.SigningKeys]{store.SigningKeysKind, s, bucketSigningKeys, nil, nil, nil}
	if err := db.View(func(tx *bbolt.Tx) error { return s.index.load(tx, s.now()) }); err != nil {
		return nil, errors.Join(unavailable("read tokens", err), db.Close())
	}
	if s.witness, err = openWitness(o.Path, db, o.Logger); err != nil {
		return nil, errors.Join(unavailable("open "+witnessName, err), db.Close())
	}
	go s.writeAll(sweep)
	return s, nil
}

// Shared returns false: the file is locked against other processes.
func (s *Store) Shared() bool { return false }

// Unconfirmed returns false: what is written is on disk.
func (s *Store) Unconfirmed() bool { return false }

// Close finishes the queued writes, and closes the file.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		close(s.closing)
		<-s.stopped
		err = errors.Join(s.witness.file.Close(), s.db.Close())
	})
	return err
}

// Ping writes to the file, at most once a second. In between, the last success
// counts. After another write has failed, it fails until a long write succeeds: a
// full disk may still have room for a short one.
func (s *Store) Ping(ctx context.Context) error {
	now := s.now()
	if f := s.failed.Load(); f != nil {
		return s.tryAgain(ctx, f, now)
	}
	since := now.Sub(time.Unix(0, s.pinged.Load()))
	if since >= 0 && since < time.Second {
		return s.open(ctx, "ping")
	}
	err := s.write(ctx, "ping", func(b *batch) error {
		return meta(b.tx).Put(keyPing, number(uint64(now.Unix())))
	})
	if err == nil {
		s.pinged.Store(now.UnixNano())
	}
	return err
}

// view runs a read. If run returns an error that is not a refusal, the file
// cannot be read.
func (s *Store) view(ctx context.Context, operation string, run func(tx *bbolt.Tx) error) error {
	if err := s.open(ctx, operation); err != nil {
		return err
	}
	return resultError(operation, s.read(run))
}

// read is db.View, but turns a panic into an error: bbolt panics on damaged pages.
func (s *Store) read(run func(tx *bbolt.Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s is damaged (%v): stop grantd, run `grantd store check`, and restore a backup if it finds something", s.db.Path(), p)
		}
	}()
	return s.db.View(run)
}

// open returns an error if ctx has ended or the store is closed.
func (s *Store) open(ctx context.Context, operation string) error {
	if err := ctx.Err(); err != nil {
		return unavailable(operation, err)
	}
	select {
	case <-s.closing:
		return unavailable(operation, errClosed)
	default:
		return nil
	}
}

var errClosed = errors.New("closed")

// refusal is the result of an operation that was refused, such as ErrExists:
// nothing is wrong with the file, and nothing was changed.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

func refuse(err error) error { return refusal{err} }

// resultError returns the error of an operation as its caller gets it.
func resultError(operation string, err error) error {
	var own refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return fmt.Errorf("embedded store: %s: %w", operation, own.error)
	default:
		return unavailable(operation, err)
	}
}

func unavailable(operation string, err error) error {
	return store.WithCause(fmt.Errorf("embedded store: %s: %w: %w", operation, store.ErrUnavailable, err), causeOf(err))
}
