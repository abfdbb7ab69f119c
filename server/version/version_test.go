package version

import (
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDescribe(t *testing.T) {
	checkout := []debug.BuildSetting{{Key: "vcs.revision", Value: "a62b4af"}, {Key: "vcs.modified", Value: "true"}}
	for _, row := range []struct {
		name, stamped, derived string
		settings               []debug.BuildSetting
		want                   Info
	}{
		{"a tag, derived by the Go tools", "", "v1.2.3", nil, Info{Version: "v1.2.3"}},
		{"the stamped version wins", "v1.2.3-4-gabc", "v1.2.4-0.2026-abc", nil, Info{Version: "v1.2.3-4-gabc"}},
		{"without version control", "", "(devel)", nil, Info{Version: "dev"}},
		{"of a test", "", "", nil, Info{Version: "dev"}},
		{"a modified checkout", "", "v1.2.3+dirty", checkout, Info{Version: "v1.2.3+dirty", Commit: "a62b4af", Modified: true}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := describe(row.stamped, &debug.BuildInfo{Main: debug.Module{Version: row.derived}, Settings: row.settings})
			row.want.Go = runtime.Version()
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestStampIsSet reads the builds that set the stamp: the linker ignores a
// name that does not exist. That the name works is shown by the test of the image.
func TestStampIsSet(t *testing.T) {
	flag := "-X " + reflect.TypeFor[Info]().PkgPath() + ".stamped=$"
	for _, name := range []string{"../../Makefile", "../../deploy/Dockerfile"} {
		if build, err := os.ReadFile(name); err != nil || !strings.Contains(string(build), flag) {
			t.Errorf("%s does not build with %s…: %v", name, flag, err)
		}
	}
}
