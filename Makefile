# Everything runs in a virtual environment of this checkout; nothing is installed outside it but the
# system packages that the tests need, and these only where we may.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test vllm vllm-venv matrix locked lowest lint check-types system-packages reference pages site clean
.PHONY: headers bench-convert bench-network bench-client bench-compare bench-spread bench-deploy bench-speed load cluster kills kill-points fuzz parity-real llama-cpp mindie-checker quick-start acceptance-faults

# With the real vLLM: make demo ENGINE=vllm
ENGINE ?= mindie
demo: $(VENV)/demo.stamp $(if $(filter vllm,$(ENGINE)),vllm-venv)
	$(BIN)/python demo/run.py $(ENGINE)

# Six workers for two cores, for most tests wait for nodes; each has whole files, and what files share (a lab,
# a cluster) is started once in each.
# Tests start lingctl and its programs some thousand times, also where Python is told to keep no compiled files.
# How pytest ended is kept for .ci/run.
test: $(VENV)/test.stamp system-packages lint check-types
	$(BIN)/python -m compileall -q lingctl tests
	$(BIN)/python -m pytest -n 6 --dist loadfile --no-loadscope-reorder --ignore=tests/vllm; \
	  status=$$?; echo $$status >$(VENV)/test.status; exit $$status

# The real vLLM in the sandbox: some five minutes, one test at a time, for each start takes both processors.
# Where its environment cannot be had, that is said, and what needs it is skipped by name.
vllm: $(VENV)/test.stamp
	-$(BIN)/lingctl sandbox install-vllm
	$(BIN)/python -m pytest tests/vllm; status=$$?; echo $$status >$(VENV)/vllm.status; exit $$status

# Made once for a machine, outside this checkout: ~/.cache/lingctl, or LINGCTL_VLLM=DIR.
vllm-venv: $(VENV)/demo.stamp
	$(BIN)/lingctl sandbox install-vllm

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

# What the documents show of what lingctl prints, written anew where it is another now; what has several cuts (...) is
# named, for somebody to write.
pages: $(VENV)/test.stamp
	LINGCTL_RENEW_PAGES=1 $(BIN)/python -m pytest -q tests/documents

# docs/reference is written by the code itself.
reference: $(VENV)/test.stamp
	$(BIN)/python docs/generate.py

# The documents as a site, in .site/index.html: nothing of it is loaded from elsewhere. A link or anchor that leads
# nowhere ends the build. In an environment of its own, so that the tests' stays as it is.
SITE := .venv-site
site: $(SITE)/stamp
	$(SITE)/bin/sphinx-build -q -W --keep-going -n -b html -c site -d $(SITE)/doctrees . .site

$(SITE)/stamp: locked/site.txt
	$(PYTHON) -m venv $(SITE)
	$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locked/site.txt
	@touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[sandbox]'
	@touch $@

# Everything by its hash, but torch, whose needs are there by then. Nothing is fetched to build lingctl itself.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
$(VENV)/test.stamp: pyproject.toml locked/test.txt requirements-torch.txt | $(VENV)/bin/python
	$(PIP) --require-hashes -r locked/test.txt
	$(PIP) --no-deps --no-build-isolation -e .
	$(PIP) -r requirements-torch.txt
	@touch $@ $(VENV)/demo.stamp

# locked/: one version of everything for Python 3.11 to 3.14 on x86_64 and aarch64, with the hashes of its files.
# test.txt is what CI installs, run.txt what `lingctl bundle` packs, of the same versions; site.txt builds the site. That there is a wheel of
# each for every machine of a bundle is asked at the end. Only what pyproject.toml calls for: make locked RENEW=
TOOLS := .venv-tools
UV := $(TOOLS)/bin/uv
RENEW ?= --upgrade
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make locked"
locked: $(TOOLS)/stamp
	$(LOCK) $(RENEW) --extra sandbox pyproject.toml requirements-test.txt -o locked/test.txt
	echo pip | $(LOCK) $(RENEW) -c locked/test.txt pyproject.toml - -o locked/run.txt
	$(LOCK) $(RENEW) requirements-site.txt -o locked/site.txt
	for python in 3.11 3.12 3.13 3.14; do for arch in x86_64 aarch64; do \
	  $(UV) pip compile --quiet --no-deps --only-binary :all: --python-version $$python \
	    --python-platform $$arch-manylinux_2_28 locked/run.txt -o /dev/null || exit 1; \
	done; done

# The lowest versions that pyproject.toml allows, which nobody has by chance: unit tests and a few commands. The pages
# written by the code itself are left out: their wording is that of the locked versions.
LOWEST := .venv-lowest
lowest: $(TOOLS)/stamp
	$(UV) venv --quiet --clear --python $(PYTHON) $(LOWEST)
	$(UV) pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct -e '.[sandbox]'
	$(UV) pip install --quiet --python $(LOWEST)/bin/python -r requirements-unit.txt
	$(LOWEST)/bin/lingctl --version
	$(LOWEST)/bin/lingctl models
	$(LOWEST)/bin/lingctl render config --nodes examples/one-server-ling-lite.yaml >/dev/null
	$(LOWEST)/bin/python -m pytest -q tests/unit --deselect tests/unit/test_reference.py::test_the_reference_is_up_to_date

$(TOOLS)/stamp: requirements-tools.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-tools.txt
	@touch $@

clean:
	rm -rf $(VENV) .venv-* .site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

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

# All of check-network, deploy, status, smoke-test and the program's start, beside what others take, in fourteen minutes;
# it prints one table for docs/performance.md.
bench-speed: $(VENV)/test.stamp
	$(BIN)/python benchmarks/speed.py

bench-deploy: $(VENV)/test.stamp
	$(BIN)/python benchmarks/deploy.py
	$(BIN)/python benchmarks/first_deploy.py --nodes 2 8

load: $(VENV)/test.stamp
	$(BIN)/python benchmarks/load.py

# All faults on nodes with a real SSH server and a real Docker engine; `make test` runs the quick ones.
cluster: $(VENV)/test.stamp system-packages
	LINGCTL_CLUSTER=full $(BIN)/python -m pytest tests/cluster

# The overlay's change of a tree, killed before each of its steps; make test tries every third.
kills: $(VENV)/test.stamp
	LINGCTL_KILLS=all $(BIN)/python -m pytest tests/node_overlay/test_kills.py

# Each fault of the sandbox, and which parts of an acceptance notice it; the whole protocol on one node and on two.
# make test tries a few rows. Half an hour.
acceptance-faults: $(VENV)/test.stamp
	LINGCTL_ACCEPTANCE=all $(BIN)/python -m pytest tests/acceptance

# Every reader of what comes from elsewhere, on input that nobody sends on purpose. An hour, or make fuzz MINUTES=5;
# one reader: READER=sse; one case of .fuzz again: CASE=.fuzz/FILE. tests/fuzz/__main__.py says more.
MINUTES ?= 60
fuzz: $(VENV)/test.stamp
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES) $(addprefix --reader ,$(READER)) $(addprefix --case ,$(CASE))

kill-points: $(VENV)/test.stamp system-packages
	$(BIN)/python -m tests.soak.kill_points

# The overlay on a checkout of Ascend/MindIE-LLM, and the reference of the proof, against one of inclusionAI/Ling:
# make parity-real MINDIE_LLM=DIR LING=DIR   (needs transformers 4.46 to 4.53)
parity-real: $(VENV)/test.stamp
	LINGCTL_MINDIE_LLM=$(MINDIE_LLM) LINGCTL_LING=$(LING) \
	  $(BIN)/python -m pytest tests/parity tests/node_overlay/test_real_trees.py tests/prove/test_reference.py

# The answer proof's reference against llama.cpp, which other hands wrote: wheels with it inside are on PyPI.
llama-cpp: $(VENV)/test.stamp
	$(BIN)/python -m pip install --quiet --only-binary :all: --no-deps xllamacpp gguf
	$(BIN)/python -m pytest tests/prove/test_llama_cpp.py

# The code of docs/how-to/transformers.md with a tiny model and the code of a checkout of inclusionAI/Ling, in an
# environment of its own: make quick-start LING=DIR. Where LINGCTL_VLLM names the real vLLM's environment, also a longer
# context: that vLLM stretches positions as the model's own code does.
quick-start: $(VENV)/test.stamp $(VENV)-transformers/stamp
	LINGCTL_LING=$(LING) LINGCTL_TRANSFORMERS=$(VENV)-transformers/bin/python \
	  $(BIN)/python -m pytest tests/parity/test_quick_start.py tests/parity/test_long_context.py

$(VENV)-transformers/stamp: requirements-transformers.txt
	$(PYTHON) -m venv $(VENV)-transformers
	$(VENV)-transformers/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-transformers.txt
	@touch $@

# Our rules of config.json beside a checker of MindIE's that you have: make mindie-checker CHECKER=FILE
mindie-checker: $(VENV)/test.stamp
	LINGCTL_MINDIE_CHECKER=$(CHECKER) $(BIN)/python -m pytest tests/mindie_checker
