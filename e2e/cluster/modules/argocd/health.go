package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

type healthCase struct {
	Kind     string               `json:"kind"`
	Input    string               `json:"input"`
	Expected health.HealthStatus  `json:"expected"`
	Found    *health.HealthStatus `json:"found"`
	Error    string               `json:"error,omitempty"`
}

// healthTests runs every health_test.yaml under a folder laid out as Argo CD's
// resource_customizations, in the sandbox in which scripts of argocd-cm run.
func healthTests(_ context.Context, args []string) (any, error) {
	flags := flag.NewFlagSet("health-tests", flag.ContinueOnError)
	root := flags.String("customizations", "", "folder with GROUP/KIND/health.lua")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	scripts, err := filepath.Glob(filepath.Join(*root, "*", "*", "health.lua"))
	if err != nil {
		return nil, err
	}
	cases := []healthCase{}
	for _, path := range scripts {
		found, err := runHealthTests(filepath.Dir(path))
		if err != nil {
			return nil, err
		}
		cases = append(cases, found...)
	}
	return cases, nil
}

func runHealthTests(folder string) ([]healthCase, error) {
	script, err := os.ReadFile(filepath.Join(folder, "health.lua"))
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(folder, "health_test.yaml"))
	if err != nil {
		return nil, err
	}
	var written struct {
		Tests []struct {
			InputPath    string              `json:"inputPath"`
			HealthStatus health.HealthStatus `json:"healthStatus"`
		} `json:"tests"`
	}
	if err := yaml.UnmarshalStrict(text, &written); err != nil {
		return nil, err
	}
	kind := filepath.Base(filepath.Dir(folder)) + "/" + filepath.Base(folder)
	overrides := map[string]v1alpha1.ResourceOverride{kind: {HealthLua: string(script)}}
	var cases []healthCase
	for _, test := range written.Tests {
		data, err := os.ReadFile(filepath.Join(folder, test.InputPath))
		if err != nil {
			return nil, err
		}
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(data, &object.Object); err != nil {
			return nil, fmt.Errorf("%s: %w", test.InputPath, err)
		}
		result := healthCase{Kind: kind, Input: test.InputPath, Expected: test.HealthStatus}
		result.Found, err = health.GetResourceHealth(object, lua.ResourceHealthOverrides(overrides))
		if err != nil {
			result.Error = err.Error()
		}
		cases = append(cases, result)
	}
	return cases, nil
}

// healthOfObjects judges objects as the cluster holds them by what argocd-cm says.
func healthOfObjects(ctx context.Context, args []string) (any, error) {
	flags := flag.NewFlagSet("health", flag.ContinueOnError)
	var where target
	where.register(flags)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	settings, err := readSettings(ctx, where.kubeconfig)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(where.manifests)
	if err != nil {
		return nil, err
	}
	objects, err := kube.SplitYAML(data)
	if err != nil {
		return nil, err
	}
	answer := map[string]*health.HealthStatus{}
	for _, object := range objects {
		found, err := health.GetResourceHealth(object, lua.ResourceHealthOverrides(settings.overrides))
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(object.GetNamespace()+"/"+object.GetName(), "/")
		answer[object.GetKind()+"/"+name] = found
	}
	return answer, nil
}
