// The compiler turns Rego into OPA's plan (package v1/ir) with OPA's own parser, compiler and planner.
// It reads one request per line on standard input and writes one answer per line, in the same order.
// It is built for wasip1 and run without files, network or environment, so what it may reach is the memory it has.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Longest request, in bytes; longer ones end the program, as the stream cannot be read on.
const maxLine = 64 << 20

type request struct {
	ID      string            `json:"id"`
	Modules map[string]string `json:"modules"`
	// "v0" or "v1" (the default).
	RegoVersion string `json:"regoVersion"`
	// Versions of the modules that are written in another, by path.
	Versions map[string]string `json:"versions"`
	// References such as data.shieldx.deny; each becomes a plan named shieldx/deny.
	Entrypoints []string `json:"entrypoints"`
	// Instead of entrypoints: names of rules, the first of which that the modules' package has is the entrypoint.
	Rules []string `json:"rules"`
	// Instead of entrypoints: any query, which becomes the plan "eval" with a binding for each of its variables.
	Query string `json:"query"`
	// Instead of entrypoints: every rule that is a test is one.
	Tests bool `json:"tests"`
	// Functions that may be called besides the built-ins.
	Declarations []declaration `json:"declarations"`
	// Names of the built-ins that may be called; absent: all that this OPA declares.
	Builtins []string `json:"builtins"`
	// Keep print() calls instead of erasing them.
	Print bool `json:"print"`
	// Allow keywords OPA has not released yet.
	Experimental bool `json:"experimental"`
}

type problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	File    string `json:"file,omitempty"`
	Row     int    `json:"row,omitempty"`
	Col     int    `json:"col,omitempty"`
}

type answer struct {
	ID   string          `json:"id"`
	Plan json.RawMessage `json:"plan,omitempty"`
	// Asked for tests: which there are, and by file the rows that they could cover.
	Tests  []testRule       `json:"tests,omitempty"`
	Rows   map[string][]int `json:"rows,omitempty"`
	Errors []problem        `json:"errors,omitempty"`
}

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "rego-compiler:", err)
		os.Exit(1)
	}
}

func serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	buffered := bufio.NewWriterSize(out, 64<<10)
	encoder := json.NewEncoder(buffered)
	encoder.SetEscapeHTML(false)
	for lines.Scan() {
		if err := encoder.Encode(respond(lines.Bytes())); err != nil {
			return err
		}
		if err := buffered.Flush(); err != nil {
			return err
		}
	}
	return lines.Err()
}

func respond(line []byte) (result answer) {
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{Errors: []problem{{Code: "request_error", Message: err.Error()}}}
	}
	result.ID = asked.ID
	// A panic in the compiler is a bug in OPA that one policy meets; the others of the batch are still answered.
	defer func() {
		if cause := recover(); cause != nil {
			result = answer{ID: asked.ID, Errors: []problem{{Code: "compiler_panic", Message: fmt.Sprint(cause)}}}
		}
	}()
	compiled, err := compilePlan(asked)
	if err != nil {
		result.Errors = problems(err)
		return result
	}
	compiled.ID = asked.ID
	return compiled
}
