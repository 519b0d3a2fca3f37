# Two commands on a fresh machine with Python 3.11, git and make: `make demo` and `make test`.
# `tools/bootstrap.py` builds the environment in .venv from requirements.lock and says what it does.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV := .venv
ARGS ?=
LANGUAGES ?=
RESULTS ?= demo-results
# Several processes; tests that share an expensive fixture, or look at the whole machine, stay in one process.
PARALLEL := -n auto --dist loadgroup --no-loadscope-reorder

# Each process of the tests would compile every module again, and each run of them rewrite every assertion.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help environment demo test check audit fuzz docs site pictures messages bench guard lock clean

help:
	@echo 'make demo     build the environment, grade the sample submissions, show where the class page is'
	@echo 'make test     build the environment, run the tests (ARGS="-n 0 -m slow" for the slow ones)'
	@echo 'make check    ruff and mypy'
	@echo 'make audit    compare the locked packages with the database of known vulnerabilities (not a part of the gate)'
	@echo 'make fuzz     give damaged documents to every reader of data from others (ARGS="--seconds 60 notebook")'
	@echo 'make docs     write the generated pages of docs/ again: checks, diagnostics, rubric keys, commands'
	@echo 'make site     build the documentation site in build/site'
	@echo 'make pictures draw the pictures of docs/ from results (RESULTS=demo-results, made by `make demo`; ARGS="--mermaid FILE")'
	@echo 'make messages write the template for translators (LANGUAGES=de also updates that catalog)'
	@echo 'make bench    measure every figure of docs/performance.md (ARGS="--only regrade" for a part, "--quick" to try)'
	@echo 'make guard    compare the cost of the grader with the ratios in bench/guard.json (ARGS="--store" accepts new ones)'
	@echo 'make lock     resolve the locks again from pyproject.toml'
	@echo 'make clean    remove the environment and all caches'

environment:
	@$(PYTHON) tools/bootstrap.py

demo: environment
	$(VENV)/bin/grader demo $(ARGS)

test: environment
	$(VENV)/bin/python -m pytest $(PARALLEL) $(ARGS)

check: environment
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

audit: environment
	$(VENV)/bin/python tools/audit.py $(ARGS)

fuzz: environment
	$(VENV)/bin/python -m tests.fuzz $(ARGS)

docs: environment
	$(VENV)/bin/python tools/make_docs.py
	$(VENV)/bin/python tools/make_messages.py

site: environment
	$(VENV)/bin/zensical build --strict --clean

pictures: environment
	$(VENV)/bin/python tools/make_pictures.py $(RESULTS) $(ARGS)

messages: environment
	$(VENV)/bin/python tools/make_messages.py $(LANGUAGES)

bench: environment
	$(VENV)/bin/python bench/run.py $(ARGS)

guard: environment
	$(VENV)/bin/python bench/guard.py $(ARGS)

lock: environment
	@$(PYTHON) tools/bootstrap.py --lock

clean:
	rm -rf $(VENV) .cache fuzz-findings .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist demo-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
