SHELL := bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# the environment's commands first, for notebooks and tests that call them
IN_VENV = PATH="$(abspath $(BIN)):$$PATH"

# Notebooks run in their own folders, so the data folder must be absolute; one that is missing is an error, not a skip.
ifdef MIRNBDEV_DATA
  override MIRNBDEV_DATA := $(or $(shell cd "$(MIRNBDEV_DATA)" && pwd),$(error MIRNBDEV_DATA is not a folder: $(MIRNBDEV_DATA)))
  export MIRNBDEV_DATA
endif

# apt as root, or with a sudo that asks for nothing
apt = { sudo=; [ "$$(id -u)" = 0 ] || sudo='sudo -n'; \
        $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(1); } >/dev/null
browser = command -v "$${CHROMIUM:-chromium}" google-chrome >/dev/null

.PHONY: help run test notebooks pytest fuzz check lab book bench weights readme clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

run: $(VENV)/library ## simulate 100 precursors, score and explain them, write out/report.html
	$(IN_VENV) mirnbdev report -o out

test: $(VENV)/dev ## run every notebook and every test, and report both
	@$(browser) || { echo 'Installing Chromium by apt for the browser tests ...'; $(call apt,chromium) && $(browser); } || \
	  echo 'No Chromium: apt could not install it. Install Chromium or Google Chrome yourself, or set CHROMIUM=/path/to/it; until then browser tests are skipped.'
	@$(if $(MIRNBDEV_DATA),,echo 'MIRNBDEV_DATA is not set: cells and tests that need the data sets are skipped.')
	@notebooks=passed; tests=passed; \
	$(MAKE) --no-print-directory notebooks || notebooks=FAILED; \
	$(MAKE) --no-print-directory pytest || tests=FAILED; \
	echo "notebooks $$notebooks, tests $$tests"; [ "$$notebooks $$tests" = 'passed passed' ]

# Two processes, one thread each, which take the next group of pages when they are done. Not nbdev's own workers: in
# them joblib's would idle on for minutes.
notebooks: $(VENV)/dev
	@printf '%s.ipynb\n' '0[!67]*' '1[4-6]*' '[!01]*' '0[67]*' '1[!0-6]*' '1[01]*' '12*' '13*' | \
	  $(IN_VENV) OMP_NUM_THREADS=1 xargs -P 2 -I{} \
	  nbdev_test --n_workers 0 --do_print --timing --file_glob '{}' $(if $(MIRNBDEV_DATA),--flags data)

pytest: $(VENV)/dev
	$(IN_VENV) OMP_NUM_THREADS=1 pytest -ra --tb=short --durations=20 -n 2 --dist loadfile tests

fuzz: $(VENV)/dev ## give the readers 100,000 inputs, other ones each time: ten minutes
	$(IN_VENV) OMP_NUM_THREADS=1 FUZZ=100000 pytest -n 2 tests/test_fuzz.py

check: $(VENV)/dev ## look for faults of style: ruff, by the rules in pyproject.toml
	$(IN_VENV) ruff check
	$(IN_VENV) ruff format --check

lab: $(VENV)/dev ## open the notebooks in JupyterLab
	$(IN_VENV) jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) nbs/index.ipynb

book: $(VENV)/dev ## build the book into _book/
	$(IN_VENV) jupyter-book build -W -n --keep-going nbs --path-output _book
	@echo 'Open _book/_build/html/index.html'

bench: $(VENV)/dev ## print the benchmark tables
	$(IN_VENV) python benchmarks/encoding.py

weights: $(VENV)/dev ## train the shipped weights anew: an hour on two cores, needs the data sets
	$(BIN)/python benchmarks/train.py detector
	$(BIN)/python benchmarks/train.py generator

readme: $(VENV)/dev ## make README.md from nbs/index.ipynb
	$(IN_VENV) python nbs/_ext/readme.py

clean: ## remove what the other targets made
	rm -rf .venv out _book build *.egg-info

# The two stamps: a second run sets nothing up again unless what is to be installed has changed.
$(VENV)/library: settings.ini setup.py pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'mirnbdev needs Python 3.11 or later; name one with make PYTHON=python3.12 ...'; exit 1; }
	@[ -x $(BIN)/pip ] || $(PYTHON) -m venv $(VENV) >/dev/null || \
	  { echo 'Installing python3-venv by apt ...'; $(call apt,python3-venv) && $(PYTHON) -m venv $(VENV); } || \
	  { echo 'Python cannot make a virtual environment here. On Debian or Ubuntu: sudo apt-get install python3-venv'; exit 1; }
	@echo 'Installing the library into $(VENV): once, a few minutes ...'
	$(BIN)/pip install -q -c constraints.txt -e .
	@touch $@

$(VENV)/dev: $(VENV)/library
	@echo 'Installing what the tests and the book need ...'
	$(BIN)/pip install -q -c constraints.txt -e '.[dev,dask]'
	@touch $@
