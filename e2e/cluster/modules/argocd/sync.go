package main

import (
	"context"
	"flag"
	"fmt"
	"sort"
	"time"

	argocommon "github.com/argoproj/argo-cd/v3/common"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/gitops-engine/pkg/cache"
	"github.com/argoproj/gitops-engine/pkg/sync"
	"github.com/argoproj/gitops-engine/pkg/sync/common"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type operation struct {
	Phase     common.OperationPhase `json:"phase"`
	Message   string                `json:"message"`
	Resources []operationResult     `json:"resources"`
}

type operationResult struct {
	Object  string            `json:"object"`
	Status  common.ResultCode `json:"status"`
	Message string            `json:"message"`
	order   int
}

// synchronize runs one sync operation to its end, with the options of the Application.
func synchronize(ctx context.Context, args []string) (any, error) {
	flags := flag.NewFlagSet("sync", flag.ContinueOnError)
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
	return state.sync(ctx)
}

// sync goes on where the last look at the cluster left off, as the controller
// does at each reconciliation, until the operation has ended.
func (s *appState) sync(ctx context.Context) (*operation, error) {
	changed := make(chan struct{}, 1)
	defer s.cache.OnResourceUpdated(func(*cache.Resource, *cache.Resource, map[kube.ResourceKey]*cache.Resource) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})()
	began := metav1.Now()
	phase, message := common.OperationRunning, ""
	var results []common.ResourceSyncResult
	for {
		paired, err := s.reconcile()
		if err != nil {
			return nil, err
		}
		options := append(s.syncOptions(), sync.WithInitialState(phase, message, results, began))
		step, cleanup, err := sync.NewSyncContext("", paired, s.config, s.config, s.kubectl,
			s.app.Spec.Destination.Namespace, s.cache.GetOpenAPISchema(), options...)
		if err != nil {
			return nil, err
		}
		step.Sync()
		phase, message, results = step.GetState()
		cleanup()
		if phase.Completed() {
			return describe(phase, message, results), nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %s", ctx.Err(), message)
		case <-changed:
		case <-time.After(time.Second):
		}
	}
}

func (s *appState) syncOptions() []sync.SyncOpt {
	prunes := s.app.Spec.SyncPolicy != nil && s.app.Spec.SyncPolicy.Automated != nil && s.app.Spec.SyncPolicy.Automated.Prune
	propagation := metav1.DeletePropagationForeground
	options := []sync.SyncOpt{
		sync.WithLogr(logr.Discard()),
		sync.WithHealthOverride(lua.ResourceHealthOverrides(s.overrides)),
		sync.WithOperationSettings(false, prunes, false, false),
		sync.WithResourcesFilter(func(_ kube.ResourceKey, config, live *unstructured.Unstructured) bool {
			return s.isSelfReferenced(live, config)
		}),
		sync.WithManifestValidation(!s.hasOption(common.SyncOptionsDisableValidation)),
		sync.WithPruneLast(s.hasOption(common.SyncOptionPruneLast)),
		sync.WithPrunePropagationPolicy(&propagation),
		sync.WithReplace(s.hasOption(common.SyncOptionReplace)),
		sync.WithServerSideApply(s.hasOption(common.SyncOptionServerSideApply)),
		sync.WithServerSideApplyManager(argocommon.ArgoCDSSAManager),
		sync.WithSkipDryRunOnMissingResource(s.hasOption(common.SyncOptionSkipDryRunOnMissingResource)),
	}
	if s.hasOption("CreateNamespace=true") {
		options = append(options, sync.WithNamespaceModifier(s.modifyNamespace))
	}
	return options
}

// modifyNamespace gives the namespace which the Application creates the labels that managedNamespaceMetadata names.
func (s *appState) modifyNamespace(managed, live *unstructured.Unstructured) (bool, error) {
	metadata := s.app.Spec.SyncPolicy.ManagedNamespaceMetadata
	if managed == nil || (metadata == nil && live != nil) {
		return false, nil
	}
	if metadata != nil {
		managed.SetLabels(metadata.Labels)
		annotations := map[string]string{common.AnnotationSyncOptions: common.SyncOptionServerSideApply}
		for key, value := range metadata.Annotations {
			annotations[key] = value
		}
		managed.SetAnnotations(annotations)
	}
	return true, nil
}

func describe(phase common.OperationPhase, message string, results []common.ResourceSyncResult) *operation {
	answer := &operation{Phase: phase, Message: message, Resources: []operationResult{}}
	for _, result := range results {
		answer.Resources = append(answer.Resources, operationResult{
			Object:  nameOf(result.ResourceKey),
			Status:  result.Status,
			Message: result.Message,
			order:   result.Order,
		})
	}
	sort.Slice(answer.Resources, func(i, j int) bool { return answer.Resources[i].order < answer.Resources[j].order })
	return answer
}
