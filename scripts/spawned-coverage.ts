// A vitest setup file. Node hands NODE_V8_COVERAGE to every child it spawns,
// so setting it here, after this process has started, measures the children
// and leaves this process to the runner's own coverage.
const folder = process.env.SHIELDX_SPAWNED_COVERAGE;
if (folder !== undefined) process.env.NODE_V8_COVERAGE = folder;
