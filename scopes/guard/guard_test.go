package guard

import (
	"testing"
	"time"
)

// TestCachedUntilVoided is the main promise.
func TestCachedUntilVoided(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1), key(2))
		s.add("other", "", key(3))
		g := s.warm(nil)
		defer g.Close()
		s.expect(g, "first", "good", 200, 1)
		s.expect(g, "second", "good", 200, 0)
		s.expect(g, "other", "other", 200, 1)
		time.Sleep(5 * time.Minute)
		s.expect(g, "much later", "good", 200, 0)
		s.void(key(2))
		time.Sleep(time.Millisecond)
		s.expect(g, "after its void", "good", 401, 1)
		s.expect(g, "another token", "other", 200, 0)
	})
}
