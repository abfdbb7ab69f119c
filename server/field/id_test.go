package field

import (
	"strings"
	"testing"
)

func TestValidIDs(t *testing.T) {
	long := strings.Repeat("a", 128)
	for id, want := range map[string][2]bool{ // client; org, customer, partner
		"a": {true, true}, long: {true, true}, long + "a": {}, "": {}, "A-Z._~09": {true, true},
		"gv_live_" + long[:43]: {}, "gv_live_" + long[:42]: {true, true}, "gc_" + long[:22]: {true, true}, // a credential is no id
		"h5D8B5gyHtk=": {false, true}, "a+b": {false, true}, "a b": {}, "a/b": {}, "a:b": {}, "é": {}, "a\n": {}, "a%41": {},
	} {
		if got := [2]bool{ValidClientID(id), ValidID(id)}; got != want {
			t.Errorf("%q: %v, want %v", id, got, want)
		}
	}
}
