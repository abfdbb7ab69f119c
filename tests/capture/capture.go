// Package capture holds what a process or a goroutine prints while a test reads it. It
// knows nothing about what that is.
package capture

import (
	"bytes"
	"sync"
)

// Buffer is what was written so far. Its zero value is empty and ready for use. Safe
// for concurrent use.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends p. It never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns everything so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
