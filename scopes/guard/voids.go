package guard

// voids holds void keys, each with the position of its last void. It is bounded: when
// the newer half is full, the older one is forgotten.
type voids struct {
	limit        int // of both halves
	newer, older half
	seen         uint64 // what was last checked at an earlier generation may have missed a void that is forgotten
}

// half is a part of the voids.
type half struct {
	at       map[uint64]position
	greatest position // in at
	complete uint64   // since this generation of the view, nothing was added
}

func newVoids(limit int) voids {
	return voids{limit: limit, newer: half{at: map[uint64]position{}}}
}

// full reports whether there is no room for more keys.
func (v *voids) full(more int) bool { return len(v.newer.at)+more > v.limit/2 }

// turn forgets the older half, and makes the newer one the older. It returns the
// position up to which voids may be missing now. The generation is the present one.
func (v *voids) turn(generation uint64) (floor position) {
	floor = v.older.greatest
	v.seen = v.older.complete
	v.older = v.newer
	v.older.complete = generation
	v.newer = half{at: make(map[uint64]position, len(v.older.at))}
	return floor
}

// add notes a void of the keys.
func (v *voids) add(keys []uint64, at position) {
	for _, k := range keys {
		if !v.has(k, at) {
			v.newer.at[k] = at
		}
	}
	if at.after(v.newer.greatest) {
		v.newer.greatest = at
	}
}

// has reports whether a void of the key is known that is not before the position.
func (v *voids) has(k uint64, at position) bool {
	if known, ok := v.newer.at[k]; ok && !at.after(known) {
		return true
	}
	known, ok := v.older.at[k]
	return ok && !at.after(known)
}

func (v *voids) hasAll(keys []uint64, at position) bool {
	for _, k := range keys {
		if !v.has(k, at) {
			return false
		}
	}
	return true
}

// anyAfter reports whether a void of one of the keys is known that came after the
// position.
func (v *voids) anyAfter(keys []uint64, p position) bool {
	for _, k := range keys {
		if at, ok := v.newer.at[k]; ok && at.after(p) {
			return true
		}
		if at, ok := v.older.at[k]; ok && at.after(p) {
			return true
		}
	}
	return false
}
