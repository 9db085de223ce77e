/** Six rules about a Pod in Rego, as one module that OPA and ShieldX read alike. */
export const sixRulesPackage = "bench.six";

export const sixRules = `package ${sixRulesPackage}

pod := input.review.object

containers contains c if some c in pod.spec.containers
containers contains c if some c in pod.spec.initContainers

deny contains msg if {
	some c in containers
	c.securityContext.privileged
	msg := sprintf("container %s is privileged", [c.name])
}

deny contains msg if {
	some c in containers
	not startswith(c.image, "docker.io/local/")
	msg := sprintf("container %s: image %s is of another registry", [c.name, c.image])
}

deny contains msg if {
	some c in containers
	regex.match(":latest$", c.image)
	msg := sprintf("container %s: image %s has no version", [c.name, c.image])
}

deny contains msg if {
	some field in {"hostNetwork", "hostPID", "hostIPC"}
	pod.spec[field]
	msg := sprintf("%s is on", [field])
}

deny contains msg if {
	some v in pod.spec.volumes
	v.hostPath
	msg := sprintf("volume %s is a path of the host", [v.name])
}

deny contains msg if {
	some key in {"app.kubernetes.io/name", "app.kubernetes.io/component"}
	not pod.metadata.labels[key]
	msg := sprintf("label %s is missing", [key])
}
`;
