package main

import (
	"context"
	"fmt"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/settings"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const argocdNamespace = "argocd"

type clusterSettings struct {
	config                *rest.Config
	overrides             map[string]v1alpha1.ResourceOverride
	filter                *settings.ResourcesFilter
	labelKey              string
	trackingMethod        v1alpha1.TrackingMethod
	ignoreAggregatedRoles bool
}

// readSettings reads argocd-cm as the controller does.
func readSettings(ctx context.Context, kubeconfig string) (*clusterSettings, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 200, 400
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	manager := settings.NewSettingsManager(ctx, client, argocdNamespace)
	result := &clusterSettings{config: config}
	if result.overrides, err = manager.GetResourceOverrides(); err != nil {
		return nil, fmt.Errorf("resource overrides: %w", err)
	}
	if result.filter, err = manager.GetResourcesFilter(); err != nil {
		return nil, fmt.Errorf("resources filter: %w", err)
	}
	if result.labelKey, err = manager.GetAppInstanceLabelKey(); err != nil {
		return nil, fmt.Errorf("instance label: %w", err)
	}
	method, err := manager.GetTrackingMethod()
	if err != nil {
		return nil, fmt.Errorf("tracking method: %w", err)
	}
	result.trackingMethod = v1alpha1.TrackingMethod(method)
	options, err := manager.GetResourceCompareOptions()
	if err != nil {
		return nil, fmt.Errorf("compare options: %w", err)
	}
	result.ignoreAggregatedRoles = options.IgnoreAggregatedRoles
	return result, nil
}
