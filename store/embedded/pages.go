package embedded

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"os"
	"time"
)

// bbolt checks nothing but its two meta pages. It panics on other damaged pages,
// partly in goroutines where nobody can recover, or reads outside of the file. So
// the pages are checked here first, without bbolt. This is the format that bbolt
// has had since version 1 of its files:
//
//	page     id u64, flags u16, count u16, overflow u32, then its elements
//	branch   offset u32, key size u32, page u64; the keys are at the offsets
//	leaf     flags u32, offset u32, key size u32, value size u32
//	bucket   the value of a leaf element with flag 1: root page u64, sequence
//	         u64, and if the root is 0, a leaf page
//	meta     magic u32, version u32, page size u32, flags u32, root page u64,
//	         sequence u64, freelist u64, pages u64, transaction u64, FNV-1a u64
const (
	pageHeader    = 16
	elementSize   = 16
	bucketHeader  = 16
	metaSize      = 64
	flagBranch    = 0x01
	flagLeaf      = 0x02
	flagBucket    = 0x01
	metaMagic     = 0xED0CDAED
	metaVersion   = 2
	smallestPage  = 1 << 10
	largestPage   = 1 << 24
	maxPageDepth  = 64
	firstDataPage = 2
)

// errPage is what is wrong with a page of the file.
var errPage = errors.New("damaged")

func pageFault(id uint64, format string, args ...any) error {
	return fmt.Errorf("page %d is %w: %s", id, errPage, fmt.Sprintf(format, args...))
}

// metaPage is a meta page that is intact.
type metaPage struct {
	pageSize    int64
	root, pages uint64
	transaction uint64
}

// parseMeta reads what is behind the header of a meta page.
func parseMeta(b []byte) (m metaPage, ok bool) {
	le := binary.LittleEndian
	if len(b) < metaSize || le.Uint32(b) != metaMagic || le.Uint32(b[4:]) != metaVersion {
		return m, false
	}
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	m = metaPage{int64(le.Uint32(b[8:])), le.Uint64(b[16:]), le.Uint64(b[40:]), le.Uint64(b[48:])}
	return m, sum.Sum64() == le.Uint64(b[metaSize-8:]) && m.pageSize >= smallestPage && m.pageSize <= largestPage
}

// metaTries is how often a damaged meta page is read: it may be written just now.
const (
	metaTries = 3
	metaPause = 10 * time.Millisecond
)

// readMetas returns the meta page that counts, and whether the other one is
// damaged.
func readMetas(f io.ReaderAt) (m metaPage, damaged bool, err error) {
	for try := range metaTries {
		if try > 0 {
			time.Sleep(metaPause)
		}
		if m, damaged, err = readMetasOnce(f); !damaged {
			break
		}
	}
	return m, damaged, err
}

func readMetasOnce(f io.ReaderAt) (m metaPage, damaged bool, err error) {
	read := func(at int64) (metaPage, bool) {
		b := make([]byte, pageHeader+metaSize)
		if _, err := f.ReadAt(b, at); err != nil {
			return metaPage{}, false
		}
		return parseMeta(b[pageHeader:])
	}
	first, ok := read(0)
	size := first.pageSize
	for guess := int64(smallestPage); !ok && guess <= largestPage; guess *= 2 {
		if second, found := read(guess); found && second.pageSize == guess {
			return second, true, nil
		}
	}
	if !ok {
		return metaPage{}, true, pageFault(0, "neither meta page can be read")
	}
	second, ok := read(size)
	if !ok || second.pageSize != size {
		return first, true, nil
	}
	if second.transaction > first.transaction {
		return second, false, nil
	}
	return first, false, nil
}

// pageWalk checks the pages of one tree after the other.
type pageWalk struct {
	file  io.ReaderAt
	meta  metaPage
	seen  []uint64 // a bit for each page
	found func(error)
}

// checkPages calls found for each page in use that is damaged. It reads the whole
// file. damaged reports that one of the two meta pages is damaged: then the file
// may lack its newest transaction.
func checkPages(f io.ReaderAt, size func() int64, found func(error)) (damaged bool) {
	m, damaged, err := readMetas(f)
	if err != nil {
		found(err)
		return true
	}
	if size := size(); m.pages > uint64(size/m.pageSize) { // it may have grown before its meta page was written
		found(fmt.Errorf("it is %w: it was cut to %d of %d bytes", errPage, size, m.pages*uint64(m.pageSize)))
		return damaged
	}
	w := &pageWalk{file: f, meta: m, seen: make([]uint64, m.pages/64+1), found: found}
	w.walk(m.root, nil, nil, 0)
	return damaged
}

// walk checks the page and all below it. Its keys must not be less than low, and be
// less than high, unless these are nil.
func (w *pageWalk) walk(id uint64, low, high []byte, depth int) {
	page, err := w.read(id)
	if err != nil {
		w.found(err)
		return
	}
	if depth > maxPageDepth {
		w.found(pageFault(id, "the tree is too deep"))
		return
	}
	w.check(id, page, low, high, depth)
}

// read returns the page with its overflow, and marks it as seen.
func (w *pageWalk) read(id uint64) ([]byte, error) {
	if id < firstDataPage || id >= w.meta.pages {
		return nil, pageFault(id, "there is no such page")
	}
	header := make([]byte, pageHeader)
	at := int64(id) * w.meta.pageSize
	if _, err := w.file.ReadAt(header, at); err != nil {
		return nil, pageFault(id, "it cannot be read: %v", err)
	}
	overflow := uint64(binary.LittleEndian.Uint32(header[12:]))
	if own := binary.LittleEndian.Uint64(header); own != id || id+overflow >= w.meta.pages {
		return nil, pageFault(id, "its header is wrong")
	}
	for p := id; p <= id+overflow; p++ {
		if w.seen[p/64]&(1<<(p%64)) != 0 {
			return nil, pageFault(p, "it is used twice")
		}
		w.seen[p/64] |= 1 << (p % 64)
	}
	page := make([]byte, (1+int64(overflow))*w.meta.pageSize)
	if _, err := w.file.ReadAt(page, at); err != nil {
		return nil, pageFault(id, "it cannot be read: %v", err)
	}
	return page, nil
}

// element is one element of a page.
type element struct {
	key, value []byte
	bucket     bool
	child      uint64
}

// check checks the elements of a page, and the pages and buckets below.
func (w *pageWalk) check(id uint64, page, low, high []byte, depth int) {
	le := binary.LittleEndian
	flags, count := le.Uint16(page[8:]), int(le.Uint16(page[10:]))
	if flags != flagBranch && flags != flagLeaf || flags == flagBranch && count == 0 || pageHeader+count*elementSize > len(page) {
		w.found(pageFault(id, "its header is wrong"))
		return
	}
	elements := make([]element, count)
	last := low
	for i := range elements {
		e, ok := elementAt(page, flags == flagLeaf, pageHeader+i*elementSize)
		order := bytes.Compare(last, e.key)
		if !ok || last != nil && (order > 0 || order == 0 && i > 0) || high != nil && bytes.Compare(e.key, high) >= 0 {
			w.found(pageFault(id, "element %d is wrong", i))
			return
		}
		elements[i], last = e, e.key
	}
	for i, e := range elements {
		switch {
		case flags == flagBranch && i+1 < count:
			w.walk(e.child, e.key, elements[i+1].key, depth+1)
		case flags == flagBranch:
			w.walk(e.child, e.key, high, depth+1)
		case e.bucket:
			w.checkBucket(id, e.value, depth)
		}
	}
}

func elementAt(page []byte, leaf bool, at int) (e element, ok bool) {
	le := binary.LittleEndian
	b := page[at : at+elementSize]
	var offset, key, value uint64
	if leaf {
		flags := le.Uint32(b)
		e.bucket = flags == flagBucket
		offset, key, value = uint64(le.Uint32(b[4:])), uint64(le.Uint32(b[8:])), uint64(le.Uint32(b[12:]))
		if flags > flagBucket {
			return e, false
		}
	} else {
		offset, key, e.child = uint64(le.Uint32(b)), uint64(le.Uint32(b[4:])), le.Uint64(b[8:])
	}
	begin := uint64(at) + offset
	if end := begin + key + value; key > math.MaxUint16 || offset < elementSize && key+value > 0 || end > uint64(len(page)) {
		return e, false
	}
	e.key, e.value = page[begin:begin+key], page[begin+key:begin+key+value]
	return e, true
}

// checkBucket checks the tree of a bucket, or the page inside its value.
func (w *pageWalk) checkBucket(id uint64, value []byte, depth int) {
	if len(value) < bucketHeader {
		w.found(pageFault(id, "a bucket is too short"))
		return
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		w.walk(root, nil, nil, depth+1)
		return
	}
	if inline := value[bucketHeader:]; len(inline) >= pageHeader {
		w.check(id, inline, nil, nil, depth+1)
		return
	}
	w.found(pageFault(id, "a bucket is too short"))
}

// sizeOf returns a function that returns the size of the file.
func sizeOf(f *os.File) func() int64 {
	return func() int64 {
		info, err := f.Stat()
		if err != nil {
			return 0
		}
		return info.Size()
	}
}

// firstError returns a function for checkPages that keeps the first error in err.
func firstError(err *error) func(error) {
	return func(e error) { *err = cmp.Or(*err, e) }
}
