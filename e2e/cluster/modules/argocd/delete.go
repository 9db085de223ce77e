package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/argoproj/argo-cd/v3/util/helm"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/gitops-engine/pkg/cache"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/argoproj/gitops-engine/pkg/sync/common"
	"github.com/argoproj/gitops-engine/pkg/sync/hook"
	resourceutil "github.com/argoproj/gitops-engine/pkg/sync/resource"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

type deletion struct {
	Deleted []string `json:"deleted"`
	Kept    []string `json:"kept"`
	Hooks   []string `json:"hooks"`
}

// deleteApplication does what the controller does for an Application with the
// finalizer resources-finalizer.argocd.argoproj.io: deletes what belongs to
// it, waits, runs the PostDelete hooks, and removes those that succeeded. The
// controller keeps these rules in unexported functions (appcontroller.go,
// hook.go of v3.1.1), so they are written here once more.
func deleteApplication(ctx context.Context, args []string) (any, error) {
	flags := flag.NewFlagSet("delete", flag.ContinueOnError)
	var where target
	where.register(flags)
	timeout := flags.Duration("timeout", 2*time.Minute, "give up after this time")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	state, err := loadState(ctx, where)
	if err != nil {
		return nil, err
	}
	answer := &deletion{Deleted: []string{}, Kept: []string{}, Hooks: []string{}}
	if err := state.deleteObjects(ctx, answer); err != nil {
		return nil, err
	}
	return answer, state.runPostDeleteHooks(ctx, answer)
}

func isKept(object *unstructured.Unstructured) bool {
	return kube.IsCRD(object) ||
		resourceutil.HasAnnotationOption(object, common.AnnotationSyncOptions, common.SyncOptionDisableDeletion) ||
		resourceutil.HasAnnotationOption(object, helm.ResourcePolicyAnnotation, helm.ResourcePolicyKeep)
}

func (s *appState) belongings() (map[kube.ResourceKey]*unstructured.Unstructured, error) {
	return s.cache.GetManagedLiveObjs(nil, func(r *cache.Resource) bool {
		name, _ := r.Info.(string)
		return name == s.app.Name
	})
}

func (s *appState) deleteObjects(ctx context.Context, answer *deletion) error {
	foreground := metav1.DeletePropagationForeground
	asked := map[types.UID]bool{}
	// Again and again, as the controller does: what an operator puts back while it still runs is deleted, too.
	return until(ctx, "everything to be gone", func() (bool, error) {
		objects, err := s.belongings()
		if err != nil {
			return false, err
		}
		isGone := true
		for key, object := range objects {
			if asked[object.GetUID()] {
				isGone = isGone && isKept(object)
				continue
			}
			asked[object.GetUID()] = true
			if isKept(object) {
				answer.Kept = append(answer.Kept, nameOf(key))
				continue
			}
			isGone = false
			if err := s.deleteObject(ctx, object, metav1.DeleteOptions{PropagationPolicy: &foreground}); err != nil {
				return false, err
			}
			answer.Deleted = append(answer.Deleted, nameOf(key))
		}
		return isGone, nil
	})
}

func (s *appState) runPostDeleteHooks(ctx context.Context, answer *deletion) error {
	var hooks []*unstructured.Unstructured
	for _, object := range s.targets {
		annotations := object.GetAnnotations()
		if annotations[common.AnnotationKeyHook] != "PostDelete" && annotations["helm.sh/hook"] != "post-delete" {
			continue
		}
		_, err := s.kubectl.CreateResource(ctx, s.config, object.GroupVersionKind(), object.GetName(), object.GetNamespace(), object, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		hooks = append(hooks, object)
		answer.Hooks = append(answer.Hooks, nameOf(kube.GetResourceKey(object)))
	}
	worst := health.HealthStatusHealthy
	err := until(ctx, "the hooks to complete", func() (bool, error) {
		worst = health.HealthStatusHealthy
		for _, object := range hooks {
			live, err := s.kubectl.GetResource(ctx, s.config, object.GroupVersionKind(), object.GetName(), object.GetNamespace())
			if err != nil {
				return false, err
			}
			found, err := health.GetResourceHealth(live, lua.ResourceHealthOverrides(s.overrides))
			if err != nil {
				return false, err
			}
			if found == nil {
				continue
			}
			if found.Status == health.HealthStatusProgressing {
				return false, nil
			}
			if health.IsWorse(worst, found.Status) {
				worst = found.Status
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	if worst != health.HealthStatusHealthy {
		return fmt.Errorf("the PostDelete hooks ended %s", worst)
	}
	for _, object := range hooks {
		for _, policy := range hook.DeletePolicies(object) {
			if policy != common.HookDeletePolicyHookSucceeded {
				continue
			}
			if err := s.deleteObject(ctx, object, metav1.DeleteOptions{}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *appState) deleteObject(ctx context.Context, object *unstructured.Unstructured, options metav1.DeleteOptions) error {
	err := s.kubectl.DeleteResource(ctx, s.config, object.GroupVersionKind(), object.GetName(), object.GetNamespace(), options)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func until(ctx context.Context, what string, isTrue func() (bool, error)) error {
	for {
		done, err := isTrue()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}
