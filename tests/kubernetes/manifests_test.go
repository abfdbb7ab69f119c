// Package kubernetes checks the manifests in deploy/kubernetes against the types of the
// Kubernetes API. It is a separate module, so that nobody else has to download and
// compile those. deploy has the tests of what the manifests mean.
package kubernetes

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

// kinds are the types by apiVersion and kind.
var kinds = map[string]func() any{
	"v1 ConfigMap":                       func() any { return new(core.ConfigMap) },
	"v1 Service":                         func() any { return new(core.Service) },
	"apps/v1 Deployment":                 func() any { return new(apps.Deployment) },
	"apps/v1 StatefulSet":                func() any { return new(apps.StatefulSet) },
	"networking.k8s.io/v1 NetworkPolicy": func() any { return new(networking.NetworkPolicy) },
	"policy/v1 PodDisruptionBudget":      func() any { return new(policy.PodDisruptionBudget) },
}

// TestManifests: no field is unknown, repeated, or of another type.
func TestManifests(t *testing.T) {
	files, err := filepath.Glob("../../deploy/kubernetes/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n, document := range documents(t, text) {
			if err := decode(document); err != nil {
				t.Errorf("%s, document %d: %v", filepath.Base(file), n+1, err)
			}
		}
	}
}

func documents(t *testing.T, text []byte) (all [][]byte) {
	t.Helper()
	for reader := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text))); ; {
		buffer := make([]byte, len(text))
		n, err := reader.Read(buffer)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, buffer[:n])
	}
}

func decode(document []byte) error {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := strict.Unmarshal(document, &head); err != nil {
		return err
	}
	newObject, known := kinds[head.APIVersion+" "+head.Kind]
	if !known {
		return errors.New("unknown kind " + head.APIVersion + " " + head.Kind)
	}
	return strict.UnmarshalStrict(document, newObject())
}

// TestFaultsAreFound: the check finds what kubectl would refuse or ignore.
func TestFaultsAreFound(t *testing.T) {
	const service = "apiVersion: v1\nkind: Service\nspec:\n  ports:\n  - "
	for rule, document := range map[string]string{
		"unknown field":   service + "prot: 80\n",
		"wrong type":      service + "port: eighty\n",
		"repeated field":  service + "port: 80\n    port: 81\n",
		"unknown kind":    "apiVersion: v1\nkind: Servise\n",
		"unknown version": "apiVersion: v2\nkind: Service\n",
	} {
		if decode([]byte(document)) == nil {
			t.Errorf("%s is not found", rule)
		}
	}
	if err := decode([]byte(service + "port: 80\n")); err != nil {
		t.Errorf("a right document: %v", err)
	}
}
