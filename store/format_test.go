package store

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// TestFormatMovesWithTheRecords compares everything that is stored with a list. If it
// differs, an older grantd may misread what this one writes, or drop a member when it
// writes the record again: raise Format, so that it refuses the store.
func TestFormatMovesWithTheRecords(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	fmt.Fprintf(&b, "format %d\n", Format)
	for _, v := range []any{
		Client{}, Org{}, Customer{}, Partner{}, PartnerTokenOwner{}, APIKey{}, Grant{}, NoticeQueue{}, SigningKeys{}, Token{}, entryRecord{}, auditRecord{}, stampForm{},
		useForm{}, networksForm{}, challengeForm{}, guessesForm{}, tokenKeyForm{},
	} {
		describe(&b, reflect.TypeOf(v).Name(), reflect.TypeOf(v))
	}
	fmt.Fprintf(&b, "kinds of entries: %s %s\n", EntryVoid, EntryChange)
	path := filepath.Join("testdata", "format.txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("what is stored has changed: raise store.Format unless an older grantd may ignore and drop the change, then run go test ./store -update (-list +now):\n%s", d)
	}
}

// describe writes a line for each member of the type.
func describe(b *strings.Builder, path string, typ reflect.Type) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Time]() {
		fmt.Fprintf(b, "%s %s\n", path, typ)
		return
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case f.Anonymous:
			describe(b, path, f.Type)
		case name != "":
			describe(b, path+"."+name, f.Type)
		default:
			describe(b, path+"."+f.Name, f.Type)
		}
	}
}
