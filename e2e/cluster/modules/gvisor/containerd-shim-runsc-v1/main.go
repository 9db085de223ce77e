// Command containerd-shim-runsc-v1 runs Pods of the RuntimeClass "gvisor".
// The test cluster builds it with one source line changed: see
// e2e/cluster/node/binaries.ts.
package main

import "gvisor.dev/gvisor/shim/v1/cli"

func main() {
	cli.Main()
}
