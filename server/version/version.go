// Package version says which grantd this program is. The command line, the
// metric grantd_build_info and the image all take it from here.
package version

import (
	"cmp"
	"runtime"
	"runtime/debug"
)

// Development is the version of a program that was built without a tag, a
// checkout or a stamped version: by a test, or from an unpacked archive.
const Development = "dev"

// stamped is set at link time where the build has no .git, as in an image:
//
//	go build -ldflags "-X github.com/grantd/grantd/server/version.stamped=v1.2.3"
var stamped string

// Info describes a build.
type Info struct {
	// Version is the stamped version, such as the output of git describe.
	// Without one it is what the Go tools derive from the checkout: the tag,
	// or a pseudo-version with the commit. It is Development if both are unknown.
	Version  string `json:"version"`
	Commit   string `json:"commit"`   // "" if not built from a checkout
	Modified bool   `json:"modified"` // the checkout had uncommitted changes
	Go       string `json:"go"`
}

// Read returns the description of the running program.
func Read() Info {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	return describe(stamped, build)
}

func describe(stamped string, build *debug.BuildInfo) Info {
	derived := build.Main.Version
	if derived == "(devel)" {
		derived = ""
	}
	info := Info{Version: cmp.Or(stamped, derived, Development), Go: runtime.Version()}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			info.Commit = s.Value
		case "vcs.modified":
			info.Modified = s.Value == "true"
		}
	}
	return info
}
