# The artifact: what is deployed. sam calls `make build-<function>` with ARTIFACTS_DIR.

# The artifact for this machine and the Python of .venv-lambda: what the tests can run.
stage-here: $(LAMBDA_READY)
	@echo "The function runs under $$(.venv-lambda/bin/python --version)"
	@$(MAKE) --no-print-directory stage LAMBDA_PYTHON=.venv-lambda/bin/python \
		ARCH=$$(uname -m | sed 's/aarch64/arm64/') \
		PYTHON_VERSION=$$(.venv-lambda/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')

stage: $(STAGE)/ready

# One artifact for all functions: staged once, copied for each.
build-%: $(STAGE)/ready
	mkdir -p '$(ARTIFACTS_DIR)'
	cp -R $(STAGE)/package/. '$(ARTIFACTS_DIR)'

# Wheels for Lambda's platform, whatever this machine is, and our own wheel; no commands and no tests of theirs, and
# not Powertools' router for web requests, a tenth of everything, which nothing of ours loads.
# requests guesses with charset-normalizer how a text is encoded whose sender does not say, and reads it as UTF-8 without.
# All that is read so here are the refusals of AWS, which are UTF-8; to load it is one part in thirty of a cold start.
# Two of keystoneauth1's packages only repeat names from their modules, and would load every way to log in there is, a web
# browser's among them: emptied, they load what we name, which is a tenth of a cold start less.
# Our wheel comes by name and not by path, since pip would write the path into the artifact.
$(STAGE)/ready: requirements.lock pyproject.toml Makefile .ci/artifact.mk $(READY) $(shell find handler -name '*.py' -o -name '*.html')
	@rm -rf $(STAGE) && mkdir -p $(STAGE)
	$(VENV) $(PIP) wheel --no-deps --no-build-isolation --wheel-dir $(STAGE) .
	$(VENV) $(PIP) $(LOCKED) $(FOR_LAMBDA) -r requirements.lock
	$(VENV) $(PIP) install --no-deps --no-index --find-links $(STAGE) $(FOR_LAMBDA) image-reaper
	@cd $(STAGE)/package && rm -rf bin */tests */test_*.py aws_lambda_powertools/event_handler charset_normalizer* && \
		truncate -s 0 keystoneauth1/identity/__init__.py keystoneauth1/identity/v3/__init__.py
	@$(call compiled)
	@touch $@

FOR_LAMBDA := --target $(STAGE)/package --no-compile --only-binary=:all: --implementation cp \
	--python-version $(PYTHON_VERSION) --platform manylinux2014_$(MACHINE)

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
