# The artifact: what is deployed. sam calls `make build-<function>` with ARTIFACTS_DIR.

.PHONY: test-artifact test-stage bench-against old_or_why

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

# Wheels for Lambda's platform, whatever this machine is, and our own wheel, less what the surgery takes out and says why.
# Our wheel comes by name and not by path, since pip would write the path into the artifact.
$(STAGE)/ready: requirements.lock pyproject.toml LICENSE Makefile .ci/artifact.mk $(SURGERY) $(READY) $(PACKAGED)
	@rm -rf $(STAGE) && mkdir -p $(STAGE)
	$(VENV) $(PIP) wheel --no-deps --no-build-isolation --wheel-dir $(STAGE) .
	$(VENV) $(PIP) $(LOCKED) $(FOR_LAMBDA) -r requirements.lock
	$(VENV) $(PIP) install --no-deps --no-index --find-links $(STAGE) $(FOR_LAMBDA) image-reaper
	$(VENV) $(SURGERY) cut $(STAGE)/package $(addprefix --but ,$(UNCUT))
	@$(call compiled)
	$(VENV) $(SURGERY) record $(STAGE)/package
	@touch $@

FOR_LAMBDA := --target $(STAGE)/package --no-compile --only-binary=:all: --implementation cp \
	--python-version $(PYTHON_VERSION) --platform manylinux2014_$(MACHINE)

# Make a target for this machine and for the version of a Python on it.
make_here = $(MAKE) --no-print-directory $(2) LAMBDA_PYTHON=$(1) ARCH=$$(uname -m | sed 's/aarch64/arm64/') \
	PYTHON_VERSION=$$($(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])')

# Without .pyc files every cold start compiles everything again, since Lambda's disk is read-only. Only the Python that
# runs there can make them. They are unchecked: times do not survive the zip.
define compiled
$(call find_lambda_python); \
if [ -n "$$python" ]; then \
	exec "$$python" -X no_debug_ranges -m compileall -q --invalidation-mode unchecked-hash \
		-s $(STAGE)/package -p /var/task $(STAGE)/package; \
fi; \
echo 'No $(LAMBDA_PYTHON) here: the artifact goes without .pyc files, and cold starts will be slower'
endef

# pyenv may have it without offering it.
define find_lambda_python
for python in $(LAMBDA_PYTHON) "$$(pyenv root 2>/dev/null)"/versions/$(PYTHON_VERSION).*/bin/python ''; do \
	"$$python" -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(PYTHON_VERSION)")' 2>/dev/null && break; \
done
endef
