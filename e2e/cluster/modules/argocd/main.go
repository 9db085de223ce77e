// Command argocd does to a cluster what Argo CD's application controller does,
// with Argo CD's own code and without its servers: repository, API, Redis.
// Settings are read from the ConfigMap argocd-cm, the Application from a file,
// the rendered manifests from another. Answers are JSON on standard output.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/sirupsen/logrus"
	"k8s.io/klog/v2"
)

type command func(ctx context.Context, args []string) (any, error)

var commands = map[string]command{
	"health-tests": healthTests,
	"health":       healthOfObjects,
	"targets":      targets,
	"compare":      compare,
	"sync":         synchronize,
	"delete":       deleteApplication,
}

func main() {
	klog.SetOutput(io.Discard)
	klog.LogToStderr(false)
	logrus.SetOutput(io.Discard)
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "argocd: %s\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || commands[args[0]] == nil {
		return fmt.Errorf("usage: argocd health-tests|health|targets|compare|sync|delete [FLAG...]")
	}
	answer, err := commands[args[0]](ctx, args[1:])
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

// target is what every command on a cluster is told.
type target struct {
	kubeconfig  string
	application string
	manifests   string
}

func (t *target) register(flags *flag.FlagSet) {
	flags.StringVar(&t.kubeconfig, "kubeconfig", "", "the cluster, which also holds argocd-cm in the namespace argocd")
	flags.StringVar(&t.application, "application", "", "file with the Application")
	flags.StringVar(&t.manifests, "manifests", "", "file with what the Application's source renders to")
}
