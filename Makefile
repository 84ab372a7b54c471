# Every target is complete on a fresh machine with python3.11 or newer and gcc.
# The environment is .venv (exact versions: requirements/dev.txt); each build kind has build/<kind>.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.11 python3.12; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
ARGS ?=
JOBS ?= 2
TESTS ?= tests
SECONDS_RUN ?= 5
FIRST ?=
KIND ?= release

ROOT := $(CURDIR)
VENV := .venv
PY := $(ROOT)/$(VENV)/bin/python
STAMP := $(VENV)/.ready
MODULES = $(words $(shell find mmcore connectors -name '*.pyx'))
SANITIZED ?= $(wildcard tests/core tests/connectors tests/pipeline)
TYPED = mmcore connectors runner
# Clients nobody here wrote, with compiled parts that were not built for the sanitizers; they run
# on the release build.
STRANGERS = tests/connectors/sim/test_clients.py tests/connectors/sim/test_typed_client.py
export MM_JOBS := $(JOBS)

# $(call with,KIND): the interpreter on one build kind, and never on the sources themselves
with = PYTHONPATH=$(ROOT)/build/$(1)/lib $(PY) -P
# $(call compile,KIND): incremental; setup.py knows what changed
compile = MM_BUILD=$(1) $(PY) setup.py -q build
# $(call stage,NAME): run one target of this file and say in one line how long it took
stage = @echo "== $(1)"; started=$$SECONDS; $(MAKE) --no-print-directory $(1) \
	|| { echo "== $(1): FAILED, $$((SECONDS - started)) s" >&2; exit 1; }; echo "== $(1): ok, $$((SECONDS - started)) s"

.PHONY: help venv build tuned debug sanitize trace run test bench wheel lint types test-release \
	test-both test-sanitize test-simulation test-wheel fuzz coverage site clean

help: ## this list
	@echo "make TARGET   (ARGS=\"…\" goes to mm, TESTS=path narrows pytest, JOBS=2 compiles at a time)"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1|/' \
	| awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

venv: $(STAMP)

$(STAMP): requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "python 3.11 or newer with venv is needed: install it, or \
	give its path as make PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import pathlib, sys, sysconfig; \
	sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' \
	|| { echo "Python.h is needed: install the development files of $(PYTHON)" >&2; exit 1; }
	@command -v gcc >/dev/null || { echo "gcc is needed: install a C compiler" >&2; exit 1; }
	@echo "making $(VENV) …"
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install -q --disable-pip-version-check -r requirements/dev.txt
	@printf '%s\n' '#!/bin/sh' \
	'# Made by make: mm on the build of this tree (MM_BUILD chooses the kind).' \
	'root=$$(cd "$$(dirname "$$0")/../.." && pwd)' \
	'PYTHONPATH="$$root/build/$${MM_BUILD:-release}/lib" \' \
	'    exec "$$root/$(VENV)/bin/python" -P -m runner "$$@"' > $(VENV)/bin/mm
	@chmod +x $(VENV)/bin/mm
	@touch $@

build: $(STAMP) ## compile the release kind into build/release/lib
	@$(call compile,release)

# Twice compiled: once to count which way the code goes in a seeded run, once by these counts.
tuned: $(STAMP) ## compile build/tuned/lib, release arranged by a profile of a seeded run
	@rm -rf build/tuned/profile build/tuned/obj
	@MM_TRAIN=1 $(call compile,tuned)
	@PYTHONPATH=$(ROOT)/build/tuned/lib:$(ROOT)/benchmarks $(PY) -P benchmarks/training.py > \
	build/tuned/training.log || { tail -20 build/tuned/training.log >&2; exit 1; }
	@rm -rf build/tuned/obj
	@$(call compile,tuned)

debug: $(STAMP) ## compile with bounds and overflow checks, run the tests on it
	@$(call compile,debug)
	@$(call with,debug) -m pytest -q -m "not campaign" --ignore=tests/gates $(TESTS)

sanitize: $(STAMP) ## compile under ASAN and UBSAN (make test-sanitize runs tests on it)
	@$(call compile,sanitize)

trace: $(STAMP)
	@$(call compile,trace)

run: build ## the market maker against the embedded exchange; ARGS="--duration 60s"
	@$(VENV)/bin/mm run $(ARGS)

test: $(STAMP) ## everything that must be green: lint, types, tests, 300 seeds, sanitizers, wheel
	$(call stage,lint)
	$(call stage,types)
	$(call stage,build)
	$(call stage,test-both)
	$(call stage,test-simulation)
	$(call stage,test-wheel)
	@echo "== all green"

lint: $(STAMP) ## ruff and cython-lint
	@$(VENV)/bin/ruff check -q .
	@PATH="$(ROOT)/$(VENV)/bin:$$PATH" $(VENV)/bin/cython-lint --max-line-length 100 mmcore connectors

types: $(STAMP) ## mypy --strict on the Python code and the stubs
	@$(PY) -m mypy $(TYPED)

# Neither is threaded: side by side they take as long as the longer one. What the sanitizers said is
# shown after the release build's tests; where those fail, nobody waits for it.
test-both: build ## test-release and test-sanitize, a core each
	@$(MAKE) --no-print-directory test-sanitize > build/test-sanitize.log 2>&1 & beside=$$!; \
	trap 'kill $$beside 2>/dev/null || true' EXIT; trap 'exit 130' INT TERM; \
	$(MAKE) --no-print-directory test-release; \
	echo "== under the sanitizers"; \
	wait $$beside || { cat build/test-sanitize.log >&2; exit 1; }; cat build/test-sanitize.log

test-release: build ## the tests and gates on the release build
	@$(call with,release) -m pytest -q -m "not campaign" $(TESTS)

# --capture=sys: a report goes to the real stderr just before the process ends.
test-sanitize: sanitize ## the core, connector and pipeline tests under ASAN and UBSAN
	@LD_PRELOAD="$$(gcc -print-file-name=libasan.so)" PYTHONMALLOC=malloc \
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 MM_BUILD=sanitize \
	$(call with,sanitize) -m pytest -q -m "not campaign" -p no:cacheprovider \
	--capture=sys $(addprefix --ignore=,$(STRANGERS)) $(SANITIZED)

# Fresh seeds for each commit, so that a commit is judged alike wherever it is; without git by the day.
test-simulation: build ## 300 seeds of mm simulate, others for each commit or FIRST=N
	@first=$(FIRST); \
	if [ -z "$$first" ]; then first=$$((16#$$(git rev-parse --short=8 HEAD 2>/dev/null \
	|| date +%Y%m%d))); fi; \
	echo "mm simulate --seeds $$first..$$((first + 299))"; \
	$(call with,release) -m runner simulate --seeds $$first..$$((first + 299))

# The compiler is CC where that is a clang, else the newest clang there is.
fuzz: $(STAMP) ## coverage-guided fuzzing with clang; ARGS="decoder --seconds 600" or "exchange …"
	@CC=$$($(PY) fuzz/run.py --compiler) $(call compile,fuzz)
	@$(PY) -P fuzz/run.py $(ARGS)

bench: build ## latency and throughput tables, instruction counts, tick to order
	@export PYTHONPATH=$(ROOT)/build/release/lib:$(ROOT)/benchmarks; \
	for bench in $(sort $(wildcard benchmarks/bench_*.py)) benchmarks/count_instructions.py; do \
	$(PY) -P $$bench $(ARGS); echo; done; \
	$(PY) -P benchmarks/tick_to_order.py --short $(ARGS)

# The wheel is made from the sdist, so that a file missing there shows here.
wheel: $(STAMP) $(filter tuned,$(KIND)) ## the manylinux wheel and its checksum in dist/; KIND=tuned for a VPS
	@rm -rf build/wheel dist mmcore.egg-info
	@mkdir -p build/wheel dist
	@echo "building the wheel of $(MODULES) modules from the sdist …"
	@env -u MM_ONLY -u MM_MARCH MM_BUILD=$(KIND) MM_PROFILE=$(ROOT)/build/tuned/profile \
	PIP_CONSTRAINT=$(ROOT)/requirements/dev.txt $(PY) -m build --outdir build/wheel . > build/wheel/log 2>&1 \
	|| { tail -40 build/wheel/log >&2; exit 1; }
	@! ls build/wheel/*none-any.whl 2>/dev/null \
	|| { echo "the wheel holds no compiled module" >&2; exit 1; }
	@PATH="$(ROOT)/$(VENV)/bin:$$PATH" $(VENV)/bin/auditwheel repair -w dist build/wheel/*.whl \
	> build/wheel/repair.log 2>&1 || { cat build/wheel/repair.log >&2; exit 1; }
	@cd dist && sha256sum *.whl > SHA256SUMS
	@ls -l dist | awk 'NR > 1 { print $$NF ", " $$5 " bytes" }'

# SECONDS_RUN=30 lets the session of the check trade for longer.
test-wheel: wheel ## install the wheel in an environment without a compiler, and use all of it
	@place=$$(mktemp -d); trap 'rm -rf "$$place"' EXIT; \
	"$$($(PY) -c 'import sys; print(sys._base_executable)')" -m venv $$place/venv; \
	$$place/venv/bin/python -m pip install -q --disable-pip-version-check \
	-c requirements/dev.txt "$$(ls $(ROOT)/dist/*.whl)[report]"; \
	cp .ci/check_installed.py .ci/check_product.py setup.py $$place/; mkdir $$place/new; \
	cd $$place; venv/bin/python -P check_installed.py setup.py; cd new; \
	../venv/bin/python -P ../check_product.py $(ROOT)/dist/*.whl $(SECONDS_RUN)

# Run inside the build: coverage resolves the names in the C files against its working folder.
coverage: trace ## line coverage of mmcore by the core and pipeline tests, 90 % at least
	@cd build/trace/lib && export COVERAGE_FILE=$(ROOT)/build/trace/coverage MM_BUILD=trace && \
	$(call with,trace) -m coverage run --rcfile=$(ROOT)/pyproject.toml -m pytest -q \
	-c $(ROOT)/pyproject.toml --rootdir=$(ROOT) -m "not campaign" -p no:cacheprovider \
	$(addprefix $(ROOT)/,$(wildcard tests/core tests/pipeline)) && \
	$(call with,trace) -m coverage report --rcfile=$(ROOT)/pyproject.toml --fail-under=90

site: $(STAMP) ## the docs as a site in build/site; a broken link fails
	@$(PY) -m mkdocs build -q --strict
	@echo "build/site/index.html"

clean: ## remove the builds and the environment
	@rm -rf build dist $(VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage .hypothesis
