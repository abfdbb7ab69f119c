package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	commands "github.com/grantd/grantd/server/cli"
	"github.com/grantd/grantd/server/health"
)

// edgeVariables are the variables of 'grantd edge', from its help.
func edgeVariables(t *testing.T) map[string]bool {
	t.Helper()
	var out bytes.Buffer
	if code := commands.Run(t.Context(), []string{"edge", "--help"}, commands.Streams{Out: &out, Err: &out}); code != 0 {
		t.Fatal(code, out.String())
	}
	all := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\s+--([a-z-]+) `).FindAllStringSubmatch(out.String(), -1) {
		all["GRANTD_EDGE_"+strings.ToUpper(strings.ReplaceAll(m[1], "-", "_"))] = true
	}
	return all
}

// TestEdgeUnit: systemd accepts the unit, which gives the process no more than it needs.
func TestEdgeUnit(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	unit := read(t, "grantd-edge.service")
	if !strings.Contains(unit, "ExecStart=/usr/local/bin/grantd edge\n") {
		t.Error("the unit does not start grantd edge")
	}
	path := filepath.Join(t.TempDir(), "grantd-edge.service")
	text := strings.ReplaceAll(unit, "/usr/local/bin/grantd", program) // systemd requires an existing program
	write(t, path, strings.ReplaceAll(text, "User=users-api", "User=daemon"))
	for _, args := range [][]string{
		{"verify", "--man=no", path},
		{"security", "--offline=true", "--no-pager", "--threshold=" + exposure, path},
	} {
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", args...).CombinedOutput()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}

// TestEdgeVariables: what the unit and the manifest set are flags of the command.
func TestEdgeVariables(t *testing.T) {
	known := edgeVariables(t)
	for _, file := range []string{"grantd-edge.service", "kubernetes/edge.yaml"} {
		found := regexp.MustCompile(`GRANTD_EDGE_[A-Z_]+`).FindAllString(read(t, file), -1)
		for _, name := range found {
			if !known[name] {
				t.Errorf("%s sets %s, which is not a variable of grantd edge", file, name)
			}
		}
		for _, needed := range []string{"GRANTD_EDGE_UPSTREAM", "GRANTD_EDGE_CLIENT_ID", "GRANTD_EDGE_CLIENT_SECRET_FILE"} {
			if !slices.Contains(found, needed) {
				t.Errorf("%s does not set %s", file, needed)
			}
		}
	}
}

// scrapedProbe is a probe at the listener for metrics.
type scrapedProbe struct {
	HTTP struct{ Path, Port string } `yaml:"httpGet"`
}

// TestEdgeStartCheck: the check at the start of the unit asks the socket at which it
// listens, in the folder that systemd creates.
func TestEdgeStartCheck(t *testing.T) {
	unit := read(t, "grantd-edge.service")
	m := regexp.MustCompile(`(?m)^Environment=GRANTD_EDGE_LISTEN=(unix:/run/([a-z-]+)/edge\.sock)$`).FindStringSubmatch(unit)
	if m == nil {
		t.Fatal("the unit does not listen on a socket")
	}
	for _, line := range []string{"RuntimeDirectory=" + m[2] + "\n", "healthcheck --url " + m[1] + ":/healthz ", "healthcheck --url " + m[1] + "\n"} {
		if !strings.Contains(unit, line) {
			t.Errorf("the unit lacks %q", line)
		}
	}
}

// TestEdgeSidecar: the sidecar has few rights, and lives as long as the API. Other pods
// reach its metrics and probes, and nothing else.
func TestEdgeSidecar(t *testing.T) {
	var m struct {
		Spec struct {
			Template struct {
				Spec struct {
					pod     `yaml:",inline"`
					Sidecar []struct {
						Restart string `yaml:"restartPolicy"`
						Env     []struct{ Name, Value string }
						Ports   []struct {
							Name string
							Port int `yaml:"containerPort"`
						}
						Startup   scrapedProbe `yaml:"startupProbe"`
						Liveness  scrapedProbe `yaml:"livenessProbe"`
						Readiness scrapedProbe `yaml:"readinessProbe"`
						Security  struct {
							Escalation *bool                   `yaml:"allowPrivilegeEscalation"`
							ReadOnly   bool                    `yaml:"readOnlyRootFilesystem"`
							Capability struct{ Drop []string } `yaml:"capabilities"`
						} `yaml:"securityContext"`
					} `yaml:"initContainers"`
				}
			}
		}
	}
	text := read(t, "kubernetes/edge.yaml")
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	p := m.Spec.Template.Spec
	isRestricted(t, p.pod)
	if time.Duration(p.Grace)*time.Second <= 20*time.Second { // see stopTimeout in server/cli
		t.Errorf("a pod is killed after %d s", p.Grace)
	}
	c := p.Sidecar[0]
	if c.Restart != "Always" || c.Security.Escalation == nil || *c.Security.Escalation || !c.Security.ReadOnly || !slices.Equal(c.Security.Capability.Drop, []string{"ALL"}) {
		t.Errorf("sidecar: %+v", c)
	}
	env := map[string]string{}
	for _, v := range c.Env {
		env[v.Name] = v.Value
	}
	if listen := env["GRANTD_EDGE_LISTEN"]; !strings.HasPrefix(listen, "127.0.0.1:") {
		t.Errorf("callers reach it at %s", listen)
	}
	if at := env["GRANTD_EDGE_METRICS_LISTEN"]; len(c.Ports) != 1 || c.Ports[0].Name != "metrics" || at != ":"+strconv.Itoa(c.Ports[0].Port) {
		t.Errorf("the metrics are at %s, and the ports are %v", at, c.Ports)
	}
	for got, path := range map[*scrapedProbe]string{&c.Startup: health.PathLive, &c.Liveness: health.PathLive, &c.Readiness: health.PathReady} {
		if got.HTTP.Path != path || got.HTTP.Port != "metrics" {
			t.Errorf("a probe asks %+v, want %s at the port of the metrics", got.HTTP, path)
		}
	}
}
