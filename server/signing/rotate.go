package signing

import (
	"context"
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
		if i := find(found.Record, (*store.SigningKey).Signs); i >= 0 {
			s.o.Since(found.Record.Keys[i].SignsSince)
		}
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
	_, err = s.change(ctx, system, string(is), func(k *store.SigningKeys) error {
		switch {
		case due(k, s.o.Now()) != is:
			return registry.ErrUnchanged
		case is == stepPublish:
			return publish(k, fresh)
		case is == stepActivate:
			return activate(k, s.records.Now())
		}
		return expire(k, s.o.Now())
	})
	return err
}

func (s *Service) change(ctx context.Context, by audit.Actor, action string, edit func(*store.SigningKeys) error) (store.SigningKeys, error) {
	return s.records.Change(ctx, registry.Step[store.SigningKeys]{By: by, Action: action, ID: store.SigningKeysID, Edit: edit})
}

// awaitPublished returns when every replica publishes what the record holds. The
// replica that wrote it may have died before it told the others.
func (s *Service) awaitPublished(ctx context.Context) error {
	if _, err := s.change(ctx, system, string(stepPublish), func(*store.SigningKeys) error { return registry.ErrUnchanged }); err != nil {
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
	record, err := s.change(ctx, by, string(stepPublish), func(k *store.SigningKeys) error {
		if now && find(k, (*store.SigningKey).IsNext) >= 0 {
			return registry.ErrUnchanged
		}
		return publish(k, fresh)
	})
	if err == nil && now {
		err = s.awaitPublished(ctx)
	}
	if err == nil && now {
		record, err = s.change(ctx, by, string(stepActivate), func(k *store.SigningKeys) error { return activate(k, s.records.Now()) })
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
	_, err = s.change(ctx, by, "remove", func(k *store.SigningKeys) error { return remove(k, id) })
	return err
}
