package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strings"

	"github.com/argoproj/argo-cd/v3/common"
	argodiff "github.com/argoproj/argo-cd/v3/util/argo/diff"
	"github.com/argoproj/argo-cd/v3/util/argo/normalizers"
	argokube "github.com/argoproj/argo-cd/v3/util/kube"
	"github.com/argoproj/gitops-engine/pkg/diff"
	"github.com/argoproj/gitops-engine/pkg/sync"
	"github.com/argoproj/gitops-engine/pkg/sync/hook"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
)

type comparison struct {
	// Objects both in the manifests and in the cluster.
	Compared int          `json:"compared"`
	Modified []difference `json:"modified"`
	Missing  []string     `json:"missing"`
	// What a sync with pruning would delete.
	Extra []string `json:"extra"`
	Hooks []string `json:"hooks"`
}

type difference struct {
	Object string         `json:"object"`
	Live   map[string]any `json:"live"`
	Target map[string]any `json:"target"`
}

// compare answers what the controller would call OutOfSync. Modes: three-way
// (client-side apply), structured-merge (the Application syncs by server-side
// apply), server-side (a dry run; compare option ServerSideDiff).
func compare(ctx context.Context, args []string) (any, error) {
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	var where target
	where.register(flags)
	modes := flags.String("modes", "three-way", "three-way, structured-merge, server-side, separated by commas")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	state, err := loadState(ctx, where)
	if err != nil {
		return nil, err
	}
	paired, err := state.reconcile()
	if err != nil {
		return nil, err
	}
	answer := map[string]*comparison{}
	for _, mode := range strings.Split(*modes, ",") {
		if answer[mode], err = state.compareBy(mode, paired); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

func (s *appState) compareBy(mode string, paired sync.ReconciliationResult) (*comparison, error) {
	differences, err := s.diff(paired, mode)
	if err != nil {
		return nil, err
	}
	answer := &comparison{Modified: []difference{}, Missing: []string{}, Extra: []string{}, Hooks: []string{}}
	for i, desired := range paired.Target {
		live := paired.Live[i]
		switch {
		case live == nil:
			answer.Missing = append(answer.Missing, nameOf(kube.GetResourceKey(desired)))
		case desired == nil:
			if !hook.IsHook(live) && s.isSelfReferenced(live, nil) {
				answer.Extra = append(answer.Extra, nameOf(kube.GetResourceKey(live)))
			}
		default:
			answer.Compared++
			if !differences.Diffs[i].Modified {
				continue
			}
			found := difference{Object: nameOf(kube.GetResourceKey(live))}
			if err := json.Unmarshal(differences.Diffs[i].NormalizedLive, &found.Live); err != nil {
				return nil, err
			}
			if err := json.Unmarshal(differences.Diffs[i].PredictedLive, &found.Target); err != nil {
				return nil, err
			}
			answer.Modified = append(answer.Modified, found)
		}
	}
	for _, object := range paired.Hooks {
		answer.Hooks = append(answer.Hooks, nameOf(kube.GetResourceKey(object)))
	}
	return answer, nil
}

func (s *appState) diff(paired sync.ReconciliationResult, mode string) (*diff.DiffResultList, error) {
	builder := argodiff.NewDiffConfigBuilder().
		WithDiffSettings(s.app.Spec.IgnoreDifferences, s.overrides, s.ignoreAggregatedRoles, normalizers.IgnoreNormalizerOpts{}).
		WithTracking(s.labelKey, string(s.trackingMethod)).
		WithNoCache().
		WithGVKParser(s.cache.GetGVKParser()).
		WithManager(common.ArgoCDSSAManager)
	switch mode {
	case "three-way":
	case "structured-merge":
		builder.WithStructuredMergeDiff(true)
	case "server-side":
		operations, cleanup, err := argokube.ManageServerSideDiffDryRuns(s.config, s.cache.GetOpenAPISchema(), func(string) (kube.CleanupFunc, error) {
			return func() {}, nil
		})
		if err != nil {
			return nil, err
		}
		defer cleanup()
		builder.WithServerSideDiff(true).WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(operations))
	default:
		return nil, fmt.Errorf("--modes %s: use three-way, structured-merge or server-side", mode)
	}
	config, err := builder.Build()
	if err != nil {
		return nil, err
	}
	return argodiff.StateDiffs(paired.Live, paired.Target, config)
}

func nameOf(key kube.ResourceKey) string {
	if key.Namespace == "" {
		return key.Kind + "/" + key.Name
	}
	return key.Kind + "/" + key.Namespace + "/" + key.Name
}
