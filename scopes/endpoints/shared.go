package endpoints

import (
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"weak"
)

// list is a list of patterns that was read.
type list struct {
	patterns []string
	mux      *http.ServeMux
}

// sharedLists lets equal lists share their memory, as package unique does with values:
// read patterns take many times the memory of their text, and many tokens of one grant
// have the same. A list that nothing refers to is forgotten.
type sharedLists struct {
	mu    sync.Mutex
	known map[string]weak.Pointer[list]
}

var shared = sharedLists{known: map[string]weak.Pointer[list]{}}

// keyOf returns a text that different lists of valid patterns do not have in common.
func keyOf(patterns []string) string { return strings.Join(patterns, "\n") }

// find returns the list that was read before, or nil.
func (s *sharedLists) find(key string, patterns []string) *list {
	s.mu.Lock()
	known := s.known[key].Value()
	s.mu.Unlock()
	if known == nil || !slices.Equal(known.patterns, patterns) { // invalid ones may have its key
		return nil
	}
	return known
}

// add returns the list, or an equal one that was added before.
func (s *sharedLists) add(key string, l *list) *list {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[key].Value(); known != nil {
		return known
	}
	s.known[key] = weak.Make(l)
	runtime.AddCleanup(l, s.forget, key)
	return l
}

// forget removes the list with the key, unless another one has taken its place.
func (s *sharedLists) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[key].Value() == nil {
		delete(s.known, key)
	}
}
