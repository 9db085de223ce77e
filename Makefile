# Everyday commands. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

NODE   := node_modules/.bin/node
VITEST := $(NODE) node_modules/vitest/vitest.mjs run
STAMP  := node_modules/.installed
REPORT  = --reporter=default --reporter=json --outputFile.json=.work/reports/$(1).json
AGAIN   = $(NODE) scripts/second-attempt.ts .work/reports/$(1).json $(2)

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'
	@echo; echo "  NODES=1..3 APISERVERS=2 K8S=1.37|1.34 GATES=A=true,B=false CLUSTER=kind|existing change what cluster-up starts"

$(STAMP): package.json package-lock.json $(wildcard */package.json packages/*/package.json)
	@command -v npm >/dev/null || { echo "npm is missing. Install Node.js 20 or newer, e.g.: apt-get install nodejs npm" >&2; exit 1; }
	npm ci --no-audit --no-fund --loglevel=error
	@test -x $(NODE) || { node -e 'process.exit(parseInt(process.versions.node) < 24 ? 1 : 0)' && ln -s "$$(command -v node)" $(NODE); } \
	  || { echo "npm has no Node 24 for this platform: install Node.js 24 and run make again" >&2; exit 1; }
	@touch $@

.PHONY: setup
setup: $(STAMP) ## install the dependencies, Node 24 among them

.PHONY: demo
demo: $(STAMP) ## the main job on real input, on a real control plane
	$(NODE) e2e/demo/main.ts

.PHONY: test
test: $(STAMP) ## unit and integration tests on a real control plane; no root
	@$(NODE) e2e/cluster/main.ts build
	@rm -rf .work/coverage .work/spawned && mkdir -p .work/reports .work/spawned
	SHIELDX_SPAWNED_COVERAGE=$(CURDIR)/.work/spawned $(VITEST) --project unit --project integration \
	  --coverage --coverage.reportsDirectory=.work/coverage $(call REPORT,test) || $(call AGAIN,test,unit integration)
	$(NODE) scripts/coverage.ts .work/coverage/coverage-final.json --spawned .work/spawned --floor 85

.PHONY: test-unit
test-unit: $(STAMP) ## unit tests only
	@mkdir -p .work/reports
	$(VITEST) --project unit $(call REPORT,unit)

.PHONY: e2e
e2e: $(STAMP) ## everything on a real node: Pods, NetworkPolicy, gVisor; root
	@mkdir -p .work/reports
	@if [ "$$(id -u)" != 0 ]; then \
	  echo "skipped: make e2e needs root (network namespaces, containerd, kubelet)" | tee .work/reports/e2e.skipped >&2; \
	else \
	  $(NODE) e2e/cluster/main.ts prerequisites; \
	  NODES=1 $(NODE) e2e/cluster/main.ts build; \
	  $(VITEST) --project node $(call REPORT,e2e) || $(call AGAIN,e2e,node); \
	fi

.PHONY: e2e-long
e2e-long: $(STAMP) ## the big counts: 10,000 watch faults, 1,000 partitions and rotations, soaks, Kubernetes 1.34
	@mkdir -p .work/reports
	$(VITEST) --project long $(call REPORT,e2e-long)

.PHONY: bench-runtime
bench-runtime: $(STAMP) ## the controller runtime against its peers; QUICK=1, RUNS=5, PARTS=sync,events,...
	@$(NODE) e2e/cluster/main.ts build
	$(NODE) bench/runtime/main.ts

.PHONY: lint
lint: $(STAMP) ## format, lint, types, import direction
	$(NODE) node_modules/@biomejs/biome/bin/biome check .
	$(NODE) node_modules/typescript/bin/tsc -p .
	$(NODE) node_modules/typescript/bin/tsc -p operator/src/page/browser
	$(NODE) scripts/check-imports.ts

.PHONY: format
format: $(STAMP) ## write the formatting
	$(NODE) node_modules/@biomejs/biome/bin/biome check --write .

.PHONY: generate
generate: $(STAMP) ## CRDs, reference, chart roles, install.yaml
	$(NODE) scripts/generate.ts
	$(NODE) e2e/shieldx/install-manifest.ts

.PHONY: check-diff
check-diff: $(STAMP) ## fail when a generated file is stale or an API change is incompatible
	$(NODE) scripts/generate.ts --check
	$(NODE) e2e/shieldx/install-manifest.ts --check
	$(NODE) crds/src/compatibility.ts

.PHONY: image
image: $(STAMP) ## an OCI archive of ShieldX, without a registry or Docker
	$(NODE) e2e/cluster/image/shieldx.ts

.PHONY: release
release: $(STAMP) ## everything that is published, into dist/; SHIELDX_RELEASE_KEY=key.pem signs it
	$(NODE) scripts/release/main.ts

.PHONY: cluster-build
cluster-build: $(STAMP) ## build Kubernetes and its tools once (about 12 minutes), into a cache outside the checkout
	$(NODE) e2e/cluster/main.ts build

.PHONY: cluster-up
cluster-up: $(STAMP) ## start a real Kubernetes (control plane; NODES=1..3 for real Pods)
	$(NODE) e2e/cluster/main.ts up

.PHONY: cluster-down
cluster-down: $(STAMP) ## stop it and remove every trace
	$(NODE) e2e/cluster/main.ts down

.PHONY: bench-admission
bench-admission: $(STAMP) ## what judging costs: against Gatekeeper, a ValidatingAdmissionPolicy, the server's own; PARTS=audit for 100,000 Pods
	$(NODE) bench/admission/main.ts

.PHONY: bench-audit
bench-audit: $(STAMP) ## what auditing 100,000 Pods by 50 policies costs, against Gatekeeper; PODS, POLICIES, GATEKEEPER=0, QUICK=1
	$(NODE) bench/audit/main.ts

.PHONY: bench-images
bench-images: $(STAMP) ## what verifying signatures of images costs, first seen and kept; IMAGES, QUICK=1
	$(NODE) bench/images/main.ts

.PHONY: bench-policy
bench-policy: $(STAMP) ## what judging by 16, 200 and 1,000 policies costs, against Gatekeeper and ValidatingAdmissionPolicies; SIZES, PARTS, QUICK=1
	@$(NODE) e2e/cluster/main.ts build
	$(NODE) bench/policy/main.ts
