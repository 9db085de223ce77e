/** What CEL rules about Pods are made of, for policies that declare `containersVariable`. */

/** Containers of every kind. */
export const containersVariable = {
  name: "containers",
  expression:
    "object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : []) + (has(object.spec.ephemeralContainers) ? object.spec.ephemeralContainers : [])",
} as const;

/** CEL: the path, each step of it guarded by has(). */
export function guarded(root: string, path: string): string {
  const steps = path.split(".");
  return steps.map((_, i) => `has(${root}.${steps.slice(0, i + 1).join(".")})`).join(" && ");
}

/** CEL: `test` of what is at `path`, or true where there is nothing. */
export function ifSet(root: string, path: string, test: (value: string) => string): string {
  return `(!(${guarded(root, path)}) || ${test(`${root}.${path}`)})`;
}

/** CEL: the same of the Pod's security context and every container's. */
export function everyContext(path: string, test: (value: string) => string): string {
  return `${ifSet("object.spec", `securityContext.${path}`, test)} && variables.containers.all(c, ${ifSet("c", `securityContext.${path}`, test)})`;
}

export function everyContainer(path: string, test: (value: string) => string): string {
  return `variables.containers.all(c, ${ifSet("c", path, test)})`;
}
