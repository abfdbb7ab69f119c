package signing

import (
	"context"
	"regexp"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// tickEvery is how often a replica looks whether a step of the rotation is due.
const tickEvery = time.Minute

// Start rotates keys when that is due, until Stop. Replicas that do so at the same
// time do each step once.
func (s *Service) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.done = cancel, make(chan struct{})
	go func() {
		defer close(s.done)
		tick := time.NewTicker(tickEvery)
		defer tick.Stop()
		for {
			if err := s.advance(ctx); err == nil {
				s.rotating.Worked(ctx)
			} else if ctx.Err() == nil {
				s.rotating.Failed(ctx, err)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
}

// Stop ends what Start began.
func (s *Service) Stop() {
	s.cancel()
	<-s.done
}

// advance does the steps that are due. It does nothing before the first key is made.
func (s *Service) advance(ctx context.Context) error {
	for range 3 { // one of each
		found, err := s.cache.Get(ctx, store.SigningKeysID)
		if err != nil || found.Record == nil || found.Record.Held() {
			return err
		}
		s.tellSince(found.Record)
		is := due(found.Record, s.o.Now())
		if is == stepNone {
			return nil
		}
		if err := s.do(ctx, is); err != nil {
			return err
		}
	}
	return nil
}

// tellSince tells since when the key that signs has signed.
func (s *Service) tellSince(k *store.SigningKeys) {
	if i := find(k, (*store.SigningKey).Signs); i >= 0 {
		s.o.Since(k.Keys[i].SignsSince)
	}
}

// do does one step, unless another replica has.
func (s *Service) do(ctx context.Context, is step) error {
	fresh, err := newKey(s.records.Now())
	if err != nil {
		return err
	}
	if is == stepActivate {
		if err := s.awaitPublished(ctx); err != nil {
			return err
		}
	}
	_, err = s.change(ctx, system, string(is), func(k *store.SigningKeys) (string, error) {
		switch {
		case due(k, s.o.Now()) != is:
			return "", registry.ErrUnchanged
		case is == stepPublish:
			return publish(k, fresh)
		case is == stepActivate:
			return activate(k, s.records.Now())
		}
		return "", expire(k, s.o.Now())
	})
	return err
}

// change carries out a change of the keys. edit returns the id of the key that the
// audit names; "" if the change is not of one key.
func (s *Service) change(ctx context.Context, by audit.Actor, action string, edit func(*store.SigningKeys) (id string, err error)) (store.SigningKeys, error) {
	id := ""
	return s.records.Change(ctx, registry.Step[store.SigningKeys]{
		By: by, Action: action, ID: store.SigningKeysID,
		Edit: func(k *store.SigningKeys) (err error) {
			id, err = edit(k)
			return err
		},
		Target: func() string { return target(id) },
	})
}

// keyID matches the ids of keys, which are thumbprints.
var keyID = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// target returns the name of a key in the audit; "" if there is no id.
func target(id string) string {
	switch {
	case id == "":
		return ""
	case !keyID.MatchString(id):
		id = "?" // someone may have pasted a credential here
	}
	return "signing_key:" + id
}

// awaitPublished returns when every replica publishes what the record holds. The
// replica that wrote it may have died before it told the others.
func (s *Service) awaitPublished(ctx context.Context) error {
	if _, err := s.change(ctx, system, string(stepPublish), func(*store.SigningKeys) (string, error) { return "", registry.ErrUnchanged }); err != nil {
		return err
	}
	return s.o.Feed.Settle(ctx)
}

// List returns all keys.
func (s *Service) List(ctx context.Context) ([]View, error) {
	k, err := s.keys(ctx)
	if err != nil {
		return nil, err
	}
	return viewOf(k.record), nil
}

// Rotate publishes a new key, which signs after publishFor. With now, it signs as soon
// as every replica publishes it; if there is a next key, that one does.
// Errors: apierr.Conflict.
func (s *Service) Rotate(ctx context.Context, by audit.Actor, now bool) ([]View, error) {
	if _, err := s.keys(ctx); err != nil { // there must be one to replace
		return nil, err
	}
	fresh, err := newKey(s.records.Now())
	if err != nil {
		return nil, err
	}
	record, err := s.change(ctx, by, string(stepPublish), func(k *store.SigningKeys) (string, error) {
		if now && find(k, (*store.SigningKey).IsNext) >= 0 {
			return "", registry.ErrUnchanged
		}
		return publish(k, fresh)
	})
	if err == nil && now {
		err = s.awaitPublished(ctx)
	}
	if err == nil && now {
		record, err = s.change(ctx, by, string(stepActivate), func(k *store.SigningKeys) (string, error) { return activate(k, s.records.Now()) })
	}
	if err != nil {
		return nil, err
	}
	return viewOf(&record), nil
}

// Remove takes a key out of the published ones, at once: somebody else may know it. If
// it is the one that signs, another one does so first.
// Errors: apierr.NotFound, Conflict.
func (s *Service) Remove(ctx context.Context, by audit.Actor, id string) error {
	k, err := s.keys(ctx)
	if err != nil {
		return err
	}
	i := find(k.record, func(key *store.SigningKey) bool { return key.ID == id })
	if i >= 0 && k.record.Keys[i].Signs() {
		if _, err := s.Rotate(ctx, by, true); err != nil {
			return err
		}
	}
	_, err = s.change(ctx, by, "remove", func(k *store.SigningKeys) (string, error) { return id, remove(k, id) })
	return err
}
