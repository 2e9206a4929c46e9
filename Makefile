# Everything runs in a virtual environment of this checkout; nothing is installed outside it but the
# system packages that the tests need, and these only where we may.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test matrix lint check-types system-packages reference clean
.PHONY: headers bench-convert bench-network bench-client bench-compare bench-spread bench-deploy load cluster kills kill-points pickle-mutants parity-real mindie-checker

demo: $(VENV)/demo.stamp
	$(BIN)/python demo/run.py

# Two workers, each with whole files of tests: what files share (a lab, a cluster) is started once in each.
# Tests start lingctl and its programs some thousand times, also where Python is told to keep no compiled files.
# How pytest ended is kept for .ci/run.
test: $(VENV)/test.stamp system-packages lint check-types
	$(BIN)/python -m compileall -q lingctl tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder; \
	  status=$$?; echo $$status >$(VENV)/test.status; exit $$status

# Unit tests on Python 3.11 to 3.14, the node program on 3.9 to 3.14; what is not on this machine is named.
# Other versions, or some: make matrix PYTHONS="3.12 3.13"
matrix: $(VENV)/test.stamp
	$(BIN)/python -m tests.matrix $(PYTHONS)

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/shellcheck --severity warning --external-sources --source-path SCRIPTDIR lingctl/shell/*/*.sh

check-types: $(VENV)/test.stamp
	$(BIN)/mypy

# Real parts for the tests: an SSH server, a Docker engine, and what makes a network of several hosts on one machine.
PACKAGES := openssh-server openssh-client docker.io iproute2
system-packages:
	@if command -v sshd >/dev/null && command -v dockerd >/dev/null && command -v ip >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES) >/dev/null; \
	else \
	  echo "note: tests against a real SSH server and Docker engine are skipped without: $(PACKAGES)"; \
	fi

# docs/reference is written by the code itself.
reference: $(VENV)/test.stamp
	$(BIN)/python docs/generate.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[sandbox]'
	@touch $@

$(VENV)/test.stamp: pyproject.toml requirements-test.txt requirements-unit.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[sandbox]' -r requirements-test.txt
	@touch $@ $(VENV)/demo.stamp

clean:
	rm -rf $(VENV) .venv-matrix .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# Our reader of safetensors headers beside the library's own, over many generated headers; make test tries 4,000.
headers: $(VENV)/test.stamp
	LINGCTL_HEADERS=60000 LINGCTL_HEADERS_SEED=$$$$ $(BIN)/python -m pytest -s tests/node/test_headers.py -k generated

# Longer runs; their figures go into docs/performance.md.
bench-convert: $(VENV)/test.stamp
	$(BIN)/python benchmarks/convert.py

bench-network: $(VENV)/test.stamp
	$(BIN)/python benchmarks/check_network.py

bench-client: $(VENV)/test.stamp
	$(BIN)/python benchmarks/bench_client.py

# lingctl bench beside other published clients, whose environments it makes; vLLM's has to be there already:
# make bench-compare VLLM=DIR
bench-compare: $(VENV)/test.stamp
	$(BIN)/python benchmarks/compare_clients.py $(if $(VLLM),--vllm $(VLLM))

bench-spread: $(VENV)/test.stamp
	$(BIN)/python benchmarks/spread.py

bench-deploy: $(VENV)/test.stamp
	$(BIN)/python benchmarks/deploy.py

load: $(VENV)/test.stamp
	$(BIN)/python benchmarks/load.py

# All faults on nodes with a real SSH server and a real Docker engine; `make test` runs the quick ones.
cluster: $(VENV)/test.stamp system-packages
	LINGCTL_CLUSTER=full $(BIN)/python -m pytest tests/cluster

# The overlay's change of a tree, killed before each of its steps; make test tries every third.
kills: $(VENV)/test.stamp
	LINGCTL_KILLS=all $(BIN)/python -m pytest tests/node_overlay/test_kills.py

# Checkpoints with a few bytes changed, for as long as is said: make pickle-mutants MINUTES=60
MINUTES ?= 5
pickle-mutants: $(VENV)/test.stamp
	$(BIN)/python -m tests.soak.pickle_mutants --minutes $(MINUTES)

kill-points: $(VENV)/test.stamp system-packages
	$(BIN)/python -m tests.soak.kill_points

# The overlay on a checkout of Ascend/MindIE-LLM, against one of inclusionAI/Ling:
# make parity-real MINDIE_LLM=DIR LING=DIR   (needs transformers 4.46 to 4.53)
parity-real: $(VENV)/test.stamp
	LINGCTL_MINDIE_LLM=$(MINDIE_LLM) LINGCTL_LING=$(LING) \
	  $(BIN)/python -m pytest tests/parity tests/node_overlay/test_real_trees.py

# Our rules of config.json beside a checker of MindIE's that you have: make mindie-checker CHECKER=FILE
mindie-checker: $(VENV)/test.stamp
	LINGCTL_MINDIE_CHECKER=$(CHECKER) $(BIN)/python -m pytest tests/mindie_checker
