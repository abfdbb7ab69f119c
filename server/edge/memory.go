package edge

import (
	"bufio"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// gcPercent is how much the heap may grow before the collector runs. The cache is most
// of the heap and changes little, so a small number costs little.
const gcPercent = 50

// Shrink makes this process take little memory: the heap stays small, and what only the
// start needed goes back to the system. The program has all commands of grantd, and the
// packages of the others have set up their tables by now. It does nothing if the
// operator has configured the collector.
func Shrink() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(gcPercent)
	debug.FreeOSMemory()
	releaseProgram()
}

// releaseProgram gives back the pages of the program's code and constants. The kernel
// reads those that are needed again from its cache of the file. Pages that were written
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
		case from != 0 && len(fields) == 3 && fields[0] == "Private_Dirty:" && fields[1] == "0":
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
		}
	}
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
