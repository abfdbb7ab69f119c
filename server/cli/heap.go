package cli

import (
	"os"
	"runtime"
)

// heapFloor is how much the heap of a server counts at least, in bytes, when
// the garbage collector decides how far it may grow. A server's own heap is a
// few MiB; left alone, the collector runs dozens of times a second under
// load. These bytes are never touched, so they take no memory.
const heapFloor = 15 << 20

// raiseHeap answers what lets the heap shrink again. Where an operator has
// set the collector, nothing is changed.
func raiseHeap() (release func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	floor := make([]byte, heapFloor)
	return func() { runtime.KeepAlive(floor) }
}
