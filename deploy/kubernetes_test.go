package deploy

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/health"
)

// manifest has the parts of a Kubernetes object that a test checks. tests/kubernetes
// checks that every field exists.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Data     map[string]string
	Spec     struct {
		Selector map[string]any
		Replicas int
		Ports    []struct {
			TargetPort string `yaml:"targetPort"`
		}
		PodSelector map[string]any `yaml:"podSelector"`
		Template    struct {
			Metadata struct{ Labels map[string]any }
			Spec     pod
		}
		Claims []struct{ Metadata struct{ Name string } } `yaml:"volumeClaimTemplates"`
	}
}

type pod struct {
	Grace    int  `yaml:"terminationGracePeriodSeconds"`
	Links    bool `yaml:"enableServiceLinks"`
	Token    bool `yaml:"automountServiceAccountToken"`
	Security struct {
		NonRoot bool                  `yaml:"runAsNonRoot"`
		Group   int64                 `yaml:"fsGroup"`
		Seccomp struct{ Type string } `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	Containers []struct {
		Env   []struct{ Name, Value string }
		Ports []struct {
			Name string
			Port int `yaml:"containerPort"`
		}
		Startup   probe `yaml:"startupProbe"`
		Liveness  probe `yaml:"livenessProbe"`
		Readiness probe `yaml:"readinessProbe"`
		Security  struct {
			Escalation *bool                   `yaml:"allowPrivilegeEscalation"`
			ReadOnly   bool                    `yaml:"readOnlyRootFilesystem"`
			Capability struct{ Drop []string } `yaml:"capabilities"`
		} `yaml:"securityContext"`
		Mounts []struct {
			Name string
			Path string `yaml:"mountPath"`
		} `yaml:"volumeMounts"`
	}
	Volumes []struct {
		Name   string
		Secret struct {
			Mode int `yaml:"defaultMode"`
		}
	}
}

type probe struct {
	Get struct{ Path, Port, Scheme string } `yaml:"httpGet"`
}

func manifests(t *testing.T, file string) map[string]manifest {
	t.Helper()
	all := map[string]manifest{}
	for d := yaml.NewDecoder(bytes.NewReader([]byte(read(t, file)))); ; {
		var m manifest
		err := d.Decode(&m)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[m.Kind] = m
	}
}

// TestKubernetes: the manifests fit the image and the configuration that they hold.
func TestKubernetes(t *testing.T) {
	for file, workload := range map[string]string{"kubernetes/embedded.yaml": "StatefulSet", "kubernetes/redis.yaml": "Deployment"} {
		t.Run(workload, func(t *testing.T) {
			all := manifests(t, file)
			w := all[workload]
			cfg := configured(t, all["ConfigMap"].Data["grantd.yaml"], w)
			if want := cfg.Shutdown.Drain + 20*time.Second; time.Duration(w.Spec.Template.Spec.Grace)*time.Second <= want { // see stopTimeout in server/cli
				t.Errorf("a pod is killed after %d s, want more than %v", w.Spec.Template.Spec.Grace, want)
			}
			if (cfg.Store.Backend == "embedded") != (w.Spec.Replicas == 1) {
				t.Errorf("%d replicas on store.backend %s", w.Spec.Replicas, cfg.Store.Backend)
			}
			labels := map[string]any{"matchLabels": w.Spec.Template.Metadata.Labels}
			if diff := cmp.Diff(labels, w.Spec.Selector); diff != "" {
				t.Errorf("selector: %s", diff)
			}
			if diff := cmp.Diff(w.Spec.Template.Metadata.Labels, all["Service"].Spec.Selector); diff != "" {
				t.Errorf("Service: %s", diff)
			}
			if diff := cmp.Diff(labels, all["NetworkPolicy"].Spec.PodSelector); diff != "" {
				t.Errorf("NetworkPolicy: %s", diff)
			}
			if budget, there := all["PodDisruptionBudget"]; there != (w.Spec.Replicas > 1) || there && !cmp.Equal(labels, budget.Spec.Selector) {
				t.Errorf("PodDisruptionBudget: %v %v", there, budget.Spec.Selector)
			}
			isRestricted(t, w.Spec.Template.Spec)
			probesGrantd(t, w.Spec.Template.Spec)
		})
	}
}

// configured returns the configuration that the pod runs with. Every file that it names
// is in a volume of the pod, and in one of secrets if it is a secret.
func configured(t *testing.T, text string, w manifest) config.Config {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "grantd.yaml"), text)
	var env []string
	for _, m := range regexp.MustCompile(`(GRANTD_[A-Z_]+)=(\S+)`).FindAllStringSubmatch(strings.SplitN(read(t, "Dockerfile"), "\nENV ", 2)[1], -1) {
		env = append(env, m[1]+"="+m[2])
	}
	c := w.Spec.Template.Spec.Containers[0]
	if len(c.Env) != 1 || c.Env[0].Name != "GRANTD_CONFIG" || c.Env[0].Value != "/etc/grantd/grantd.yaml" {
		t.Errorf("variables: %v", c.Env)
	}
	cfg, warnings, err := config.Load(config.LoadOptions{File: filepath.Join(dir, "grantd.yaml"), Env: func() []string { return env }})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	// That the port of metrics is open is what the NetworkPolicy is for.
	for _, risk := range cfg.Warnings() {
		if risk.Path != "metrics.listen" {
			t.Errorf("risk: %s: %s", risk.Path, risk.Problem)
		}
	}
	for _, path := range append(regexp.MustCompile(`/run/secrets/[\w./-]+`).FindAllString(text, -1), cfg.Admin.Socket, c.Env[0].Value) {
		mounted := false
		for _, m := range c.Mounts {
			mounted = mounted || strings.HasPrefix(path, m.Path+"/")
		}
		if !mounted {
			t.Errorf("%s is in no volume", path)
		}
	}
	return cfg
}

// isRestricted fails if the pod has more rights than the "restricted" Pod Security
// Standard of Kubernetes allows, or that grantd needs.
func isRestricted(t *testing.T, p pod) {
	t.Helper()
	c := p.Containers[0].Security
	if !p.Security.NonRoot || p.Security.Seccomp.Type != "RuntimeDefault" || p.Security.Group != 65532 || p.Token || p.Links {
		t.Errorf("pod: %+v", p.Security)
	}
	if c.Escalation == nil || *c.Escalation || !c.ReadOnly || !cmp.Equal(c.Capability.Drop, []string{"ALL"}) {
		t.Errorf("container: %+v", c)
	}
	for _, v := range p.Volumes {
		if strings.HasSuffix(v.Name, "s") && v.Secret.Mode != 0o440 {
			t.Errorf("volume %s: mode %o", v.Name, v.Secret.Mode)
		}
	}
}

func probesGrantd(t *testing.T, p pod) {
	t.Helper()
	c := p.Containers[0]
	for name, row := range map[string]struct {
		probe probe
		path  string
	}{
		"startup": {c.Startup, health.PathLive}, "liveness": {c.Liveness, health.PathLive}, "readiness": {c.Readiness, health.PathReady},
	} {
		if row.probe.Get.Path != row.path || row.probe.Get.Port != "public" || row.probe.Get.Scheme != "HTTPS" {
			t.Errorf("%s probe: %+v", name, row.probe)
		}
	}
	_, exposed, _ := strings.Cut(read(t, "Dockerfile"), "\nEXPOSE ")
	exposed, _, _ = strings.Cut(exposed, "\n")
	for _, port := range c.Ports {
		if !slices.Contains(strings.Fields(exposed), strconv.Itoa(port.Port)) {
			t.Errorf("port %d is not one of the image", port.Port)
		}
	}
}

// TestKubernetesSecrets: the commands at the top of each manifest make every file of the
// secrets that it names.
func TestKubernetesSecrets(t *testing.T) {
	for _, file := range []string{"kubernetes/embedded.yaml", "kubernetes/redis.yaml"} {
		text := read(t, file)
		for _, m := range regexp.MustCompile(`/run/secrets/grantd/([\w.-]+)`).FindAllStringSubmatch(text, -1) {
			if !strings.Contains(text, "--from-file="+m[1]) {
				t.Errorf("%s: no command makes %s", file, m[0])
			}
		}
	}
}
