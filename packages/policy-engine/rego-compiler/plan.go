package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/compile"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/util"
)

func compilePlan(asked request) (compiled answer, err error) {
	version, err := regoVersion(asked.RegoVersion)
	if err != nil {
		return compiled, err
	}
	versions, err := versionsByPath(asked, version)
	if err != nil {
		return compiled, err
	}
	capabilities := capabilitiesFor(asked)
	modules, err := parse(asked, versions, capabilities)
	if err != nil {
		return compiled, err
	}
	if asked.Query != "" {
		compiled.Plan, err = planOfQuery(asked, version, capabilities, modules)
		return compiled, err
	}
	if asked.Tests {
		compiled.Rows = coverableRows(modules)
		compiled.Tests, asked.Entrypoints, err = prepareTests(modules)
		if err != nil || len(asked.Entrypoints) == 0 {
			return compiled, err
		}
	}
	compiled.Plan, err = planOfEntrypoints(asked, version, capabilities, modules)
	return compiled, err
}

func regoVersion(name string) (ast.RegoVersion, error) {
	switch name {
	case "v0":
		return ast.RegoV0, nil
	case "v1", "":
		return ast.RegoV1, nil
	default:
		return ast.RegoUndefined, fmt.Errorf("regoVersion is %q, must be v0 or v1", name)
	}
}

// Of every module. A version of a module that is not there is a mistake of the caller's, and never one to pass over.
func versionsByPath(asked request, version ast.RegoVersion) (map[string]ast.RegoVersion, error) {
	versions := make(map[string]ast.RegoVersion, len(asked.Modules))
	for path := range asked.Modules {
		versions[path] = version
	}
	for _, path := range util.KeysSorted(asked.Versions) {
		if _, ok := versions[path]; !ok {
			return nil, fmt.Errorf("versions names %q, which is no module", path)
		}
		own, err := regoVersion(asked.Versions[path])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		versions[path] = own
	}
	return versions, nil
}

// Built-ins the caller does not have are taken out of the declarations, so that the compiler itself names the place
// that calls one. The caller may have others that OPA does not know.
func capabilitiesFor(asked request) *ast.Capabilities {
	capabilities := ast.CapabilitiesForThisVersion(ast.CapabilitiesExperimentalKeywords(asked.Experimental))
	if asked.Builtins != nil {
		capabilities.Builtins = slices.DeleteFunc(slices.Clone(capabilities.Builtins), func(builtin *ast.Builtin) bool {
			return !slices.Contains(asked.Builtins, builtin.Name) && !isSyntax(builtin)
		})
	}
	for _, declared := range asked.Declarations {
		capabilities.Builtins = append(capabilities.Builtins, declared.builtin())
	}
	return capabilities
}

// The compiler turns these into statements of the plan.
func isSyntax(builtin *ast.Builtin) bool {
	return slices.Contains([]string{ast.Assign.Name, ast.Equality.Name, ast.Equal.Name}, builtin.Name)
}

func parse(
	asked request, versions map[string]ast.RegoVersion, capabilities *ast.Capabilities,
) (map[string]*ast.Module, error) {
	modules := make(map[string]*ast.Module, len(asked.Modules))
	var failed ast.Errors
	for _, path := range util.KeysSorted(asked.Modules) {
		options := ast.ParserOptions{RegoVersion: versions[path], Capabilities: capabilities, ProcessAnnotation: true}
		module, err := ast.ParseModuleWithOpts(path, asked.Modules[path], options)
		var located ast.Errors
		switch {
		case errors.As(err, &located):
			failed = append(failed, located...)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", path, err)
		case module == nil:
			return nil, fmt.Errorf("%s: the module is empty", path)
		default:
			modules[path] = module
		}
	}
	if len(failed) > 0 {
		return nil, failed
	}
	return modules, nil
}

func planOfEntrypoints(
	asked request, version ast.RegoVersion, capabilities *ast.Capabilities, modules map[string]*ast.Module,
) (json.RawMessage, error) {
	policies := &bundle.Bundle{}
	policies.SetRegoVersion(version)
	policies.Manifest.Init()
	for _, path := range util.KeysSorted(modules) {
		policies.Modules = append(policies.Modules, bundle.ModuleFile{
			URL: path, Path: path, Parsed: modules[path], Raw: []byte(asked.Modules[path]),
		})
	}
	references := asked.Entrypoints
	if len(asked.Rules) > 0 {
		found, err := firstRule(asked.Rules, modules)
		if err != nil {
			return nil, err
		}
		references = []string{found}
	}
	entrypoints, err := paths(references)
	if err != nil {
		return nil, err
	}
	compiler := compile.New().
		WithTarget(compile.TargetPlan).
		WithBundle(policies).
		WithRegoVersion(version).
		WithCapabilities(capabilities).
		WithEnablePrintStatements(asked.Print).
		WithPruneUnused(true).
		WithEntrypoints(entrypoints...)
	if err := compiler.Build(context.Background()); err != nil {
		return nil, err
	}
	return compiler.Bundle().PlanModules[0].Raw, nil
}

// The reference of the first of these rules that is defined, where all modules are of one package.
func firstRule(names []string, modules map[string]*ast.Module) (string, error) {
	packages := map[string]struct{}{}
	defined := map[string]struct{}{}
	for _, module := range modules {
		packages[module.Package.Path.String()] = struct{}{}
		for _, rule := range module.Rules {
			if name, ok := rule.Head.Ref()[0].Value.(ast.Var); ok {
				defined[string(name)] = struct{}{}
			}
		}
	}
	if len(packages) != 1 {
		return "", fmt.Errorf("the modules are of %d packages: name the entrypoint", len(packages))
	}
	for _, name := range names {
		if _, ok := defined[name]; ok {
			return util.Keys(packages)[0] + "." + name, nil
		}
	}
	return "", fmt.Errorf("%s has no rule named %s: name the entrypoint", util.Keys(packages)[0], strings.Join(names, " or "))
}

// data.a.b as a/b, which is how OPA's compiler names entrypoints.
func paths(entrypoints []string) ([]string, error) {
	result := make([]string, 0, len(entrypoints))
	for _, text := range entrypoints {
		ref, err := ast.ParseRef(text)
		if err != nil {
			return nil, fmt.Errorf("entrypoint %q: %w", text, err)
		}
		if len(ref) < 2 || !ref.HasPrefix(ast.DefaultRootRef) {
			return nil, fmt.Errorf("entrypoint %q must be a reference below data", text)
		}
		path, err := ref.Ptr()
		if err != nil {
			return nil, fmt.Errorf("entrypoint %q: %w", text, err)
		}
		result = append(result, path)
	}
	return result, nil
}

// OPA hands the plan of a whole query only to evaluators that register for it, which planTaker does.
func planOfQuery(
	asked request, version ast.RegoVersion, capabilities *ast.Capabilities, modules map[string]*ast.Module,
) (json.RawMessage, error) {
	taker := &planTaker{}
	rego.ResetTargetPlugins()
	rego.RegisterPlugin(planTarget, taker)
	query, err := ast.ParseBodyWithOpts(asked.Query, ast.ParserOptions{RegoVersion: version, Capabilities: capabilities})
	if err != nil {
		return nil, err
	}
	options := []func(*rego.Rego){
		rego.Target(planTarget),
		rego.ParsedQuery(query),
		rego.SetRegoVersion(version),
		rego.Capabilities(capabilities),
		rego.EnablePrintStatements(asked.Print),
	}
	for _, path := range util.KeysSorted(modules) {
		options = append(options, rego.ParsedModule(modules[path]))
	}
	if _, err := rego.New(options...).PrepareForEval(context.Background()); err != nil {
		return nil, err
	}
	return json.Marshal(taker.plan)
}

const planTarget = "shieldx-plan"

type planTaker struct{ plan *ir.Policy }

func (*planTaker) IsTarget(name string) bool { return name == planTarget }

func (taker *planTaker) PrepareForEval(
	_ context.Context, plan *ir.Policy, _ ...rego.PrepareOption,
) (rego.TargetPluginEval, error) {
	taker.plan = plan
	return nil, nil
}

func problems(err error) []problem {
	var located ast.Errors
	var single *ast.Error
	switch {
	case errors.As(err, &located):
	case errors.As(err, &single):
		located = ast.Errors{single}
	default:
		return []problem{{Code: "compile_error", Message: strings.TrimSpace(err.Error())}}
	}
	result := make([]problem, 0, len(located))
	for _, cause := range located {
		found := problem{Code: cause.Code, Message: cause.Message}
		if cause.Location != nil {
			found.File, found.Row, found.Col = cause.Location.File, cause.Location.Row, cause.Location.Col
		}
		result = append(result, found)
	}
	return result
}
