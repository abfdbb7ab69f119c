package cli

import (
	"os"
	"runtime"
)

// heapFloor is added to the heap of a server, in bytes, so that the garbage
// collector lets it grow further. The heap is otherwise a few MiB, and the
// collector would run dozens of times a second under load. These bytes are
// never written, so they use no memory.
const heapFloor = 15 << 20

// raiseHeap allocates heapFloor, and returns a function that releases it. It
// does nothing if the operator has configured the collector.
func raiseHeap() (release func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	floor := make([]byte, heapFloor)
	return func() { runtime.KeepAlive(floor) }
}
