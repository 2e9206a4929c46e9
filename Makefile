# Everything runs in a virtual environment of this checkout; nothing is installed outside it but the
# system packages that the tests need, and these only where we may.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint check-types system-packages clean bench-convert bench-network bench-client bench-spread load

demo: $(VENV)/demo.stamp
	$(BIN)/python demo/run.py

test: $(VENV)/test.stamp system-packages lint check-types
	$(BIN)/python -m pytest

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

check-types: $(VENV)/test.stamp
	$(BIN)/mypy

# openssh-server: the tests log in to a real one. tmux: they look at a real terminal.
system-packages:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  command -v sshd >/dev/null && command -v tmux >/dev/null || \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq openssh-server tmux >/dev/null; }; \
	else \
	  command -v sshd >/dev/null || echo "note: without openssh-server the tests against a real one are skipped"; \
	fi

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[sandbox]'
	@touch $@

$(VENV)/test.stamp: pyproject.toml requirements-test.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[sandbox]' -r requirements-test.txt
	@touch $@ $(VENV)/demo.stamp

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# Longer runs; their figures go into docs/performance.md.
bench-convert: $(VENV)/test.stamp
	$(BIN)/python benchmarks/convert.py

bench-client: $(VENV)/test.stamp
	$(BIN)/python benchmarks/bench_client.py
