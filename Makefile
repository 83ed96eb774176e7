# Two commands do everything from nothing: `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
# modules are compiled when they are imported first, which most of them never are: --no-compile halves the installation

.PHONY: run test check clean

run: .venv/installed
	@$(BIN)/experiments

test: .venv/installed-test
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

check: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else f"error: {sys.executable} is Python {v[0]}.{v[1]}; needed is 3.11, 3.12 or 3.13: make PYTHON=python3.12")'
	@$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing into .venv (once)"
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

.venv/installed-test: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing into .venv, with the test tools (once)"
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch .venv/installed $@

clean:
	rm -rf .venv
