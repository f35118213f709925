# make demo       the Studio in your browser
# make test       every test, style check and notebook
# make notebooks  JupyterLab with the notebooks
# make lint       style only
# make bundle     all packages and weights in dist/, for a machine without a network
#
# Each does its own set-up in .venv (Python >= 3.11). OFFLINE=1 refuses the network everywhere.

NEW_ENOUGH = import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$python && break; done)
INSTALL = $(or $(PYTHON),$(error semedit needs Python 3.11 or newer; none was found)) \
	scripts/install.py
BIN = .venv/bin

.PHONY: demo test lint notebooks bundle
demo:
	@$(INSTALL)
	@$(BIN)/semedit demo

test: lint
	@$(BIN)/python -m pytest tests notebooks --numprocesses 2 --dist loadfile \
		--nbmake --nbmake-timeout=300

lint:
	@$(INSTALL) --dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

notebooks:
	@$(INSTALL)
	@$(BIN)/jupyter lab notebooks

bundle:
	@$(INSTALL) --bundle
