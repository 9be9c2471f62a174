# The artifacts that are deployed. For Lambda, sam calls `make build-<function>` with ARTIFACTS_DIR; FunctionGraph
# gets a zip.

.PHONY: test-artifact test-stage bench-against old_or_why package-lambda package-functiongraph functiongraph-here release release-files

SURGERY := .ci/artifact.py
# A folder among them tells of a module that was removed.
PACKAGED := $(shell find handler -name __pycache__ -prune -o -print)

# The artifact for this machine and the Python of .venv-lambda: what the tests can run.
stage-here: $(LAMBDA_READY)
	@echo "The function runs under $$(.venv-lambda/bin/python --version)"
	@$(call make_here,.venv-lambda/bin/python,stage)

stage: $(STAGE)/ready

# The artifact for this machine and the Python of .venv, whose pytest then runs on it the tests of what meets a
# dependency. The artifact comes first on the path, and nobody may put the checkout before it.
test-artifact: $(READY)
	@$(call make_here,$(VENV),test-stage)

test-stage: $(STAGE)/ready
	ARTIFACT=$(STAGE)/package PYTHONPATH=$(STAGE)/package:. PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1 \
		$(VENV) -m pytest -p tests.e2e.on_artifact --import-mode=append $(SIDE_BY_SIDE) $(CORE)

CORE := $(patsubst %,tests/unit/test_%.py,app auth aws deletion image_apis meanings payloads report schema shapes sweeps \
	transport)

# This artifact against that of another revision: make bench-against OLD=<revision>
bench-against: old_or_why $(READY) stage-here
	$(VENV) -m tests.bench.against '$(OLD)'

old_or_why:
	@git rev-parse --quiet --verify '$(OLD)^{commit}' >/dev/null || \
		{ echo 'Say what to compare with: make bench-against OLD=<revision>' >&2; exit 1; }

# One artifact for all functions: staged once, copied for each.
build-%: $(STAGE)/ready
	mkdir -p '$(ARTIFACTS_DIR)'
	cp -R $(STAGE)/package/. '$(ARTIFACTS_DIR)'

$(STAGE)/ready: requirements.lock pyproject.toml LICENSE Makefile .ci/artifact.mk $(SURGERY) $(READY) $(PACKAGED)
	$(call installed,$(STAGE),$(PYTHON_VERSION),$(MACHINE))
	$(VENV) $(SURGERY) cut $(STAGE)/package --platform lambda $(addprefix --but ,$(UNCUT))
	@$(call compiled,$(STAGE),$(PYTHON_VERSION),$(LAMBDA_PYTHON),/var/task)
	$(VENV) $(SURGERY) record $(STAGE)/package
	@touch $@

# Wheels for the platform, whatever this machine is, and our own wheel. Ours comes by name and not by path, since pip
# would write the path into the artifact.
define installed
	@rm -rf $(1) && mkdir -p $(1)
	$(VENV) $(PIP) wheel --no-deps --no-build-isolation --wheel-dir $(1) .
	$(VENV) $(PIP) $(LOCKED) $(call for_platform,$(1),$(2),$(3)) -r requirements.lock
	$(VENV) $(PIP) install --no-deps --no-index --find-links $(1) $(call for_platform,$(1),$(2),$(3)) image-reaper
endef

for_platform = --target $(1)/package --no-compile --only-binary=:all: --implementation cp --python-version $(2) \
	--platform manylinux2014_$(3)

FUNCTIONGRAPH_STAGE := build/functiongraph-$(FUNCTIONGRAPH_VERSION)
LAMBDA_ZIP := dist/image-reaper-lambda-$(ARCH).zip
FUNCTIONGRAPH_ZIP := dist/image-reaper-functiongraph.zip

# Everything that a release consists of: the zips, what is in each, templates that need no build, and the checksums.
release: release-files
	$(VENV) .ci/release.py whole dist

# The same where a Python is missing, whose .pyc files are then missing as well.
release-files: $(READY) $(RELEASE_READY)
	@rm -rf dist
	@$(MAKE) --no-print-directory package-lambda ARCH=arm64
	@$(MAKE) --no-print-directory package-lambda ARCH=x86_64
	@$(MAKE) --no-print-directory $(FUNCTIONGRAPH_ZIP:.zip=.cdx.json)
	@cp functiongraph.tf .github/samconfig.example.toml dist
	$(VENV) .ci/release.py sums dist

package-lambda: $(LAMBDA_ZIP:.zip=.cdx.json)
	$(VENV) .ci/release.py template dist/template-$(ARCH).yaml $(ARCH)

package-functiongraph: $(FUNCTIONGRAPH_ZIP)

$(LAMBDA_ZIP): $(STAGE)/ready
	$(call zipped,$(STAGE))

$(FUNCTIONGRAPH_ZIP): $(FUNCTIONGRAPH_STAGE)/ready
	$(call zipped,$(FUNCTIONGRAPH_STAGE))

$(LAMBDA_ZIP:.zip=.cdx.json): $(LAMBDA_ZIP) $(RELEASE_READY)
	$(call listed,$(STAGE))

$(FUNCTIONGRAPH_ZIP:.zip=.cdx.json): $(FUNCTIONGRAPH_ZIP) $(RELEASE_READY)
	$(call listed,$(FUNCTIONGRAPH_STAGE))

define zipped
	@mkdir -p $(@D) && rm -f $@
	$(VENV) $(SURGERY) zip $(1)/package $@
endef

# A bill of materials (CycloneDX) of what is in an artifact, read from an environment that holds it and nothing else: the
# lock says neither what the licences are nor what needs what, and the artifact lacks some of what is locked.
define listed
	@rm -rf $(1)/environment && $(VENV) -m venv --without-pip $(1)/environment
	@cp -R $(1)/package/. $(1)/environment/lib/python*/site-packages
	$(RELEASE)/cyclonedx-py environment --pyproject pyproject.toml --spec-version 1.6 --output-format JSON \
		--output-reproducible --output-file $@ $(1)/environment/bin/python
endef

$(FUNCTIONGRAPH_STAGE)/ready: requirements.lock pyproject.toml LICENSE Makefile .ci/artifact.mk $(SURGERY) .ci/index.py \
		$(READY) $(PACKAGED)
	$(call installed,$(FUNCTIONGRAPH_STAGE),$(FUNCTIONGRAPH_VERSION),x86_64)
	$(VENV) $(SURGERY) cut $(FUNCTIONGRAPH_STAGE)/package --platform functiongraph
	@cp .ci/index.py $(FUNCTIONGRAPH_STAGE)/package
	@$(call compiled,$(FUNCTIONGRAPH_STAGE),$(FUNCTIONGRAPH_VERSION),python$(FUNCTIONGRAPH_VERSION),/opt/function/code)
	$(VENV) $(SURGERY) record $(FUNCTIONGRAPH_STAGE)/package
	@touch $@

# An environment and our packages for each Python for which the open runtime has wheels, if this machine has it.
functiongraph-here:
	@found=; $(foreach version,3.11 3.12,$(call for_functiongraph,$(version))) \
	[ -n "$$found" ] || { echo 'The open runtime of FunctionGraph needs Python 3.12 or 3.11 on x86_64 (pyenv install 3.12)' >&2; exit 1; }

for_functiongraph = $(call find_python,python$(1) $(PYTHON),$(1)); if [ -n "$$python" ]; then found=yes; \
	$(MAKE) --no-print-directory FUNCTIONGRAPH_VERSION=$(1) FUNCTIONGRAPH_PYTHON="$$python" \
	.venv-functiongraph/$(1)/ready build/functiongraph-$(1)/ready || exit; fi;

# Make a target for this machine and for the version of a Python on it.
make_here = $(MAKE) --no-print-directory $(2) LAMBDA_PYTHON=$(1) ARCH=$$(uname -m | sed 's/aarch64/arm64/') \
	PYTHON_VERSION=$$($(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])')

# Without .pyc files every cold start compiles everything again, since the disk is read-only. On FunctionGraph, loading
# then takes 0.8 s of CPU instead of 0.2; the files cost 2 MB of the zip. Only the Python that runs there can make them,
# so a machine without it makes a different artifact. They are unchecked: times do not survive the zip.
define compiled
$(call find_python,$(3),$(2)); \
if [ -n "$$python" ]; then \
	exec "$$python" -X no_debug_ranges -m compileall -q --invalidation-mode unchecked-hash \
		-s $(1)/package -p $(4) $(1)/package; \
fi; \
echo 'No $(3) here: the artifact goes without .pyc files, and cold starts will be slower'
endef

# Lambda's own Python, or none.
find_lambda_python = $(call find_python,$(LAMBDA_PYTHON),$(PYTHON_VERSION))

# A Python of a version, by its name, or from pyenv, which may have it without offering it.
define find_python
for python in $(1) "$$(pyenv root 2>/dev/null)"/versions/$(2).*/bin/python ''; do \
	"$$python" -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(2)")' 2>/dev/null && break; \
done
endef
