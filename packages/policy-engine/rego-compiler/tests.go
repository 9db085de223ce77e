package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
	"github.com/open-policy-agent/opa/v1/util"
)

// A function that the caller has and OPA does not know; of its types only the number of arguments is.
type declaration struct {
	Name string `json:"name"`
	Args int    `json:"args"`
}

func (declared declaration) builtin() *ast.Builtin {
	args := make([]types.Type, declared.Args)
	for at := range args {
		args[at] = types.A
	}
	return &ast.Builtin{Name: declared.Name, Decl: types.NewFunction(args, types.A)}
}

// A rule that OPA takes for a test: test_ begins its name, or todo_test_ where it is to be left out.
type testRule struct {
	Package string `json:"package"`
	Name    string `json:"name"`
	// Name of the plan that answers it; absent for one that is left out.
	Plan string `json:"plan,omitempty"`
	// Its cases are the keys of an object, and what is no key is told by internal.test_case.
	HasCases bool   `json:"cases,omitempty"`
	File     string `json:"file"`
	Row      int    `json:"row"`
}

const (
	testPrefix    = "test_"
	skippedPrefix = "todo_test_"
)

// Finds the tests of all modules, and makes them tell their cases. Of rules with one name each is a test of its own, as in OPA, which
// numbers them: test_a, test_a#01.
func prepareTests(modules map[string]*ast.Module) ([]testRule, []string, error) {
	var tests []testRule
	var references []string
	seen := map[string]int{}
	for _, path := range util.KeysSorted(modules) {
		module := modules[path]
		for _, rule := range module.Rules {
			name, depth := testName(rule.Head.Ref())
			if depth < 0 {
				continue
			}
			found := testRule{Package: module.Package.Path.String(), Name: name, File: path, Row: rule.Loc().Row}
			if strings.HasPrefix(name, skippedPrefix) {
				tests = append(tests, found)
				continue
			}
			key := module.Package.Path.Extend(rule.Head.Ref()[:depth+1]).String()
			if count := seen[key]; count > 0 {
				found.Name = fmt.Sprintf("%s#%02d", name, count)
				// Names of plans are paths, in which the sign would have to be escaped.
				rename(rule.Head, depth, fmt.Sprintf("%s__again%d", name, count))
			}
			seen[key]++
			if len(rule.Head.Ref()) > depth+1 {
				found.HasCases = true
				tellCases(rule, depth)
			}
			prefix := module.Package.Path.Extend(rule.Head.Ref()[:depth+1])
			plan, err := prefix.Ptr()
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", prefix, err)
			}
			found.Plan = plan
			tests = append(tests, found)
			references = append(references, prefix.String())
		}
	}
	return tests, references, nil
}

// The name of the test that a rule is, and at which part of its reference it stands; -1 for other rules.
func testName(ref ast.Ref) (string, int) {
	for at, term := range ref.GroundPrefix() {
		var name string
		switch value := term.Value.(type) {
		case ast.Var:
			name = string(value)
		case ast.String:
			name = string(value)
		}
		if strings.HasPrefix(name, testPrefix) || strings.HasPrefix(name, skippedPrefix) {
			return name, at
		}
	}
	return "", -1
}

func rename(head *ast.Head, depth int, name string) {
	ref := head.Ref().Copy()
	if depth == 0 {
		ref[0] = ast.VarTerm(name)
		head.Name = ast.Var(name)
	} else {
		ref[depth] = ast.StringTerm(name)
	}
	head.Reference = ref
}

// A case that fails has no value, so that nothing would be known of it: the rule says its name as soon as that is known, which is where
// its variables are declared. A body that unifies instead is put in order by OPA itself.
func tellCases(rule *ast.Rule, depth int) {
	terms := rule.Head.Ref()[depth+1:]
	wanted := ast.NewVarSet()
	for _, term := range terms {
		ast.WalkVars(term, func(name ast.Var) bool {
			wanted.Add(name)
			return false
		})
	}
	after := 0
	for at, expr := range rule.Body {
		if declaresAny(expr, wanted) {
			after = at + 1
		}
	}
	names := make([]*ast.Term, len(terms))
	for at, term := range terms {
		names[at] = term.Copy()
	}
	tell := ast.NewExpr([]*ast.Term{ast.NewTerm(ast.InternalTestCase.Ref()), ast.ArrayTerm(names...)})
	tell.Location = rule.Loc()
	rule.Body = slices.Insert(rule.Body, after, tell)
	for at, expr := range rule.Body {
		expr.Index = at
	}
}

func declaresAny(expr *ast.Expr, wanted ast.VarSet) bool {
	var declared []*ast.Term
	switch terms := expr.Terms.(type) {
	case *ast.SomeDecl:
		declared = terms.Symbols
	case []*ast.Term:
		if expr.IsAssignment() {
			declared = []*ast.Term{expr.Operand(0)}
		}
	}
	found := false
	for _, term := range declared {
		ast.WalkVars(term, func(name ast.Var) bool {
			found = found || wanted.Contains(name)
			return found
		})
	}
	return found
}

// Rows by file on which something can be evaluated: heads of rules, and expressions, which is what OPA's coverage counts. Tests are not
// what is to be covered.
func coverableRows(modules map[string]*ast.Module) map[string][]int {
	result := make(map[string][]int, len(modules))
	for path, module := range modules {
		rows := map[int]struct{}{}
		add := func(at *ast.Location) {
			if at != nil && at.File == path && at.Row > 0 {
				rows[at.Row] = struct{}{}
			}
		}
		for _, top := range module.Rules {
			if _, depth := testName(top.Head.Ref()); depth >= 0 {
				continue
			}
			ast.WalkRules(top, func(rule *ast.Rule) bool {
				add(rule.Head.Location)
				return false
			})
			ast.WalkExprs(top, func(expr *ast.Expr) bool {
				if _, isDeclaration := expr.Terms.(*ast.SomeDecl); !isDeclaration {
					add(expr.Location)
				}
				return false
			})
		}
		if len(rows) > 0 {
			result[path] = util.KeysSorted(rows)
		}
	}
	return result
}
