package tokens

import (
	"sync/atomic"

	"github.com/grantd/grantd/store"
)

// cachedToken is a record, with the generation of the feed at which it was
// last found not void: until the feed moves, nothing has to be looked up. One
// from before a loss is read again: the store may have lost it too.
type cachedToken struct {
	token   store.Token
	checked atomic.Uint64
	epoch   uint64 // of the feed, before the record was read
}

func (s *Service) cached(d store.Digest) *cachedToken {
	if s.cache == nil {
		return nil
	}
	c, _ := s.cache.GetIfPresent(d)
	return c
}

func (s *Service) forget(d store.Digest) {
	if s.cache != nil {
		s.cache.Invalidate(d)
	}
}
