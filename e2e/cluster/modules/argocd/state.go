package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/argo"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/gitops-engine/pkg/cache"
	"github.com/argoproj/gitops-engine/pkg/sync"
	"github.com/argoproj/gitops-engine/pkg/sync/hook"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// appState is one Application, what it should be, and a cache of the cluster.
type appState struct {
	*clusterSettings
	app     *v1alpha1.Application
	targets []*unstructured.Unstructured
	cache   cache.ClusterCache
	kubectl kube.Kubectl
}

var tracker = argo.NewResourceTracking()

func loadState(ctx context.Context, where target) (*appState, error) {
	read, err := readSettings(ctx, where.kubeconfig)
	if err != nil {
		return nil, err
	}
	state := &appState{clusterSettings: read, app: &v1alpha1.Application{}}
	text, err := os.ReadFile(where.application)
	if err != nil {
		return nil, err
	}
	if err := yaml.UnmarshalStrict(text, state.app); err != nil {
		return nil, fmt.Errorf("%s: %w", where.application, err)
	}
	state.kubectl = &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	state.cache = cache.NewClusterCache(read.config,
		cache.SetLogr(logr.Discard()),
		cache.SetKubectl(state.kubectl),
		cache.SetSettings(cache.Settings{
			ResourcesFilter:        read.filter,
			ResourceHealthOverride: lua.ResourceHealthOverrides(read.overrides),
		}),
		cache.SetPopulateResourceInfoHandler(state.appNameOf),
	)
	if err := state.cache.EnsureSynced(); err != nil {
		return nil, err
	}
	return state, state.readTargets(where.manifests)
}

// targets prints what a sync would apply: the manifests with their tracking marks, as a List.
func targets(ctx context.Context, args []string) (any, error) {
	flags := flag.NewFlagSet("targets", flag.ContinueOnError)
	var where target
	where.register(flags)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	state, err := loadState(ctx, where)
	if err != nil {
		return nil, err
	}
	items := []any{}
	for _, object := range state.targets {
		if !hook.IsHook(object) {
			items = append(items, object.Object)
		}
	}
	return map[string]any{"apiVersion": "v1", "kind": "List", "items": items}, nil
}

// appNameOf is the application an object says it belongs to; one with an owner belongs to the owner.
func (s *appState) appNameOf(object *unstructured.Unstructured, isRoot bool) (any, bool) {
	name := ""
	if isRoot {
		name = tracker.GetAppName(object, s.labelKey, s.trackingMethod, "")
	}
	return name, name != "" || kube.IsCRD(object)
}

// readTargets reads manifests and marks them as the repository server and the controller do.
func (s *appState) readTargets(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	objects, err := kube.SplitYAML(data)
	if err != nil {
		return err
	}
	for _, object := range objects {
		namespaced, err := s.cache.IsNamespaced(object.GroupVersionKind().GroupKind())
		if err == nil && namespaced && object.GetNamespace() == "" {
			object.SetNamespace(s.app.Spec.Destination.Namespace)
		}
		if err == nil && !namespaced {
			object.SetNamespace("")
		}
		if kube.IsCRD(object) {
			continue
		}
		err = tracker.SetAppInstance(object, s.labelKey, s.app.Name, s.app.Spec.Destination.Namespace, s.trackingMethod, "")
		if err != nil {
			return err
		}
	}
	s.targets = objects
	return nil
}

// reconcile pairs what should be with what is. What is and should not be has no target.
func (s *appState) reconcile() (sync.ReconciliationResult, error) {
	live, err := s.cache.GetManagedLiveObjs(s.targets, func(r *cache.Resource) bool {
		name, _ := r.Info.(string)
		return name == s.app.Name
	})
	if err != nil {
		return sync.ReconciliationResult{}, err
	}
	return sync.Reconcile(s.targets, live, s.app.Spec.Destination.Namespace, s.cache), nil
}

// isSelfReferenced is false for a live object that carries somebody else's tracking id: a copy is nobody's to prune.
func (s *appState) isSelfReferenced(live, config *unstructured.Unstructured) bool {
	if live == nil || s.trackingMethod == v1alpha1.TrackingMethodLabel {
		return true
	}
	var id argo.AppInstanceValue
	if config != nil {
		id = argo.UnstructuredToAppInstanceValue(config, s.app.Name, "")
	} else {
		found := tracker.GetAppInstance(live, s.trackingMethod, "")
		if found == nil {
			return true
		}
		id = *found
	}
	kind := live.GroupVersionKind()
	return (live.GetNamespace() == id.Namespace || live.GetNamespace() == "") &&
		live.GetName() == id.Name && kind.Group == id.Group && kind.Kind == id.Kind
}

func (s *appState) hasOption(option string) bool {
	policy := s.app.Spec.SyncPolicy
	return policy != nil && policy.SyncOptions.HasOption(option)
}
