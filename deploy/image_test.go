package deploy

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asRoot returns the command, with sudo unless this is root: the files of an image
// belong to several users.
func asRoot(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		args = append([]string{"sudo", "-n"}, args...)
	}
	return exec.Command(args[0], args[1:]...) // without t.Context, because cleanups use it too
}

func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, out, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// imageVersion is the version of the image.
const imageVersion = "v1.2.3-4-gabcdef0"

// TestImage builds grantd here, as the first stage of the Dockerfile does, then
// builds the last stage from it and runs the image. No registry is needed.
func TestImage(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds an image")
	}
	base, err := os.MkdirTemp("", "grantd-image-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = asRoot(t, "rm", "-rf", base).Run() })
	buildah := func(args ...string) string {
		return output(t, asRoot(t, append([]string{"buildah", "--storage-driver", "vfs", "--root", base + "/root", "--runroot", base + "/run"}, args...)...))
	}
	first, last := stages(t)
	rootfs := filepath.Join(base, "files")
	program := compile(t, first, rootfs)
	write(t, filepath.Join(base, "Dockerfile"), strings.ReplaceAll(last, "--from=build ", ""))
	buildah("bud", "--isolation", "chroot", "--format", "docker", "-t", "grantd", "--build-arg", "VERSION="+imageVersion, "-f", base+"/Dockerfile", rootfs)

	var image struct {
		Docker struct {
			Config struct {
				User         string
				ExposedPorts map[string]any
				Volumes      map[string]any
				Entrypoint   []string
				Cmd          []string
				Env          []string
				Labels       map[string]string
				Healthcheck  struct{ Test []string }
			} `json:"config"`
		}
	}
	if err := json.Unmarshal([]byte(buildah("inspect", "--type", "image", "grantd")), &image); err != nil {
		t.Fatal(err)
	}
	c := image.Docker.Config
	if diff := cmp.Diff("65532:65532", c.User); diff != "" {
		t.Errorf("user: %s", diff)
	}
	if len(c.ExposedPorts) != 2 || len(c.Volumes) != 1 || len(c.Healthcheck.Test) == 0 {
		t.Errorf("ports, volumes, health check: %+v", c)
	}
	if got := c.Labels["org.opencontainers.image.version"]; got != imageVersion {
		t.Errorf("version label: %q", got)
	}
	if got := output(t, exec.Command(program, "--version")); got != imageVersion {
		t.Errorf("grantd --version: %q", got)
	}
	if files := buildah("from", "--name", "c", "grantd"); files == "" {
		t.Fatal("no container")
	}
	root := buildah("mount", "c")
	t.Cleanup(func() { buildah("umount", "c") })
	if diff := cmp.Diff([]string{"data", "etc", "grantd"}, strings.Fields(output(t, asRoot(t, "ls", root)))); diff != "" {
		t.Errorf("in the image:\n%s", diff)
	}
	isStatic(t, program)
	if got := output(t, asRoot(t, "stat", "-c", "%u:%g %a", root+"/data")); got != "65532:0 770" {
		t.Errorf("/data: %s", got)
	}
	box, command, check := container{root: root, user: c.User, env: c.Env}, slices.Concat(c.Entrypoint, c.Cmd), c.Healthcheck.Test[1:]
	t.Run("Runs", func(t *testing.T) {
		url, _ := box.start(t, command)
		box.responds(t, url, check)
	})
	t.Run("Volumes", func(t *testing.T) { testVolumes(t, base, box, command, check) })
}

// stages splits the Dockerfile.
func stages(t *testing.T) (first, last string) {
	t.Helper()
	text := read(t, "Dockerfile")
	at := strings.LastIndex(text, "\nFROM ")
	if at < 0 || !strings.HasPrefix(text[at+1:], "FROM scratch\n") {
		t.Fatal("the last stage is not from scratch")
	}
	return text[:at], text[at+1:]
}

// compile runs the go build of the first stage on the files that this stage
// copies, and puts the result where the last stage expects it.
func compile(t *testing.T, stage, rootfs string) string {
	t.Helper()
	source := t.TempDir()
	for _, m := range regexp.MustCompile(`(?m)^COPY (.+) (\S+)$`).FindAllStringSubmatch(stage, -1) {
		for _, name := range strings.Fields(m[1]) {
			var err error
			if info, statErr := os.Stat("../" + name); statErr != nil {
				err = statErr
			} else if info.IsDir() {
				err = os.CopyFS(filepath.Join(source, name), os.DirFS("../"+name))
			} else {
				write(t, filepath.Join(source, name), read(t, "../"+name))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	run := regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=0 go build .*)$`).FindStringSubmatch(stage)
	if run == nil {
		t.Fatal("no go build in the first stage")
	}
	out := filepath.Join(rootfs, "out")
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", strings.ReplaceAll(run[1], "/out/", out+"/"))
	cmd.Dir, cmd.Env = source, append(cmd.Environ(), "VERSION="+imageVersion)
	output(t, cmd)
	certs := filepath.Join(rootfs, "etc/ssl/certs")
	if err := os.MkdirAll(certs, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(certs, "ca-certificates.crt"), "")
	return filepath.Join(out, "grantd")
}

// isStatic fails if the program needs a library or a loader.
func isStatic(t *testing.T, program string) {
	t.Helper()
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	libraries, err := f.ImportedLibraries()
	if err != nil || len(libraries) > 0 {
		t.Errorf("libraries: %q, %v", libraries, err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("it needs a loader")
		}
	}
}
