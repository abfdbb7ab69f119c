package edge

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// gcPercent is how much the heap may grow before the collector runs. The cache is
	// most of the heap, and a request allocates little.
	gcPercent = 20
	// pieceSize is the most that the kernel maps of the program at once.
	pieceSize = 8 << 10
)

// ballast counts for the collector, but is never touched, so it takes no memory: the heap
// may grow by gcPercent of what is in use and of the ballast. Without it, a heap of 3 MB
// would be collected after each 600 KB, which is every hundred requests.
var ballast atomic.Pointer[[ballastSize]byte]

const ballastSize = 16 << 20

// Shrink makes this process take little memory: the heap stays small, and what only the
// start needed goes back to the system. The program has all commands of grantd, and the
// packages of the others have set up their tables by now. It does nothing if the
// operator has configured the collector.
func Shrink() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	runtime.MemProfileRate = 0 // nobody reads the profile
	ballast.Store(new([ballastSize]byte))
	debug.SetGCPercent(gcPercent)
	debug.FreeOSMemory()
	releaseProgram()
}

// releaseProgram gives back the pages of the program's code and constants. The kernel
// maps those that are needed again from its cache of the file. Pages that were written
// to are not touched: they exist nowhere else.
func releaseProgram() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer maps.Close()
	var from, to uintptr // of the mapping that is read; 0: it is not one to release
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) == 6 && !strings.HasSuffix(fields[0], ":"):
			from, to = 0, 0
			if fields[5] == program && (fields[1] == "r-xp" || fields[1] == "r--p") {
				from, to = parseRange(fields[0])
			}
		case from != 0 && len(fields) == 3 && fields[0] == "Anonymous:" && fields[1] == "0":
			advise(from, to, unix.MADV_DONTNEED)
			divide(from, to)
		}
	}
}

// divide makes the kernel map little at once. For a page that is needed, it maps 64 KiB
// around it, of a program of which only some functions run: that is several times what
// is used. It does not map across a border between pieces of which one is advised to be
// read in sequence, which changes nothing else for pages in memory.
func divide(from, to uintptr) {
	for at := from; at+pieceSize < to; at += 2 * pieceSize {
		if !advise(at, at+pieceSize, unix.MADV_SEQUENTIAL) {
			return // too many mappings: the rest stays as it is
		}
	}
}

func advise(from, to uintptr, advice uintptr) (ok bool) {
	_, _, failed := unix.Syscall(unix.SYS_MADVISE, from, to-from, advice)
	return failed == 0
}

// parseRange reads the addresses of a mapping, such as 00400000-01728000.
func parseRange(s string) (from, to uintptr) {
	first, last, _ := strings.Cut(s, "-")
	a, err1 := strconv.ParseUint(first, 16, 64)
	b, err2 := strconv.ParseUint(last, 16, 64)
	if err1 != nil || err2 != nil || a >= b {
		return 0, 0
	}
	return uintptr(a), uintptr(b)
}
