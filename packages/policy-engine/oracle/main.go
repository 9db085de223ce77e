// The oracle judges Pods with upstream's own Pod Security evaluator, so that tests can compare ours with it.
// It reads one question per line on standard input and writes one answer per line in the same order.
// Test tooling only: nothing that is shipped is built from this folder.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	kjson "sigs.k8s.io/json"
)

type question struct {
	Level       string          `json:"level"`
	Version     string          `json:"version"`
	PodMetadata json.RawMessage `json:"podMetadata"`
	PodSpec     json.RawMessage `json:"podSpec"`
}

type answer struct {
	Allowed bool     `json:"allowed"`
	Reasons []string `json:"reasons"`
	Details []string `json:"details"`
	// The question could not be decoded the way the API server decodes objects.
	Error string `json:"error,omitempty"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

func run() error {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 1<<20), 64<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for lines.Scan() {
		if err := encoder.Encode(judge(evaluator, lines.Bytes())); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return out.Flush()
}

func judge(evaluator policy.Evaluator, line []byte) answer {
	var asked question
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{Error: err.Error()}
	}
	level, err := api.ParseLevel(asked.Level)
	if err != nil {
		return answer{Error: err.Error()}
	}
	version, err := api.ParseVersion(asked.Version)
	if err != nil {
		return answer{Error: err.Error()}
	}
	// Case-sensitive and otherwise as lenient as the API server's decoder.
	metadata, spec := &metav1.ObjectMeta{}, &corev1.PodSpec{}
	if len(asked.PodMetadata) > 0 {
		if err := kjson.UnmarshalCaseSensitivePreserveInts(asked.PodMetadata, metadata); err != nil {
			return answer{Error: "metadata: " + err.Error()}
		}
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(asked.PodSpec, spec); err != nil {
		return answer{Error: "spec: " + err.Error()}
	}
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(api.LevelVersion{Level: level, Version: version}, metadata, spec))
	return answer{Allowed: result.Allowed, Reasons: result.ForbiddenReasons, Details: result.ForbiddenDetails}
}
