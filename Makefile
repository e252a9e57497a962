# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
PY := .venv/bin/python

.PHONY: help setup demo test check format bench docs soak audit

help: ## This list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

setup: ## Make .venv with everything (again: seconds)
	@tools/setup.sh

demo: setup ## DSRL on the simulated WidowX: base policy, training, report (five to ten minutes)
	@.venv/bin/roboreward demo $(ARGS)

test: setup ## All tests; prints which tiers ran
	@$(PY) tools/run_tests.py $(ARGS)

check: setup ## Formatting, lint, types, import law
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@$(PY) -m pytest -q test/test_import_law.py test/test_repository.py
	@$(PY) tools/make_docs.py --check

format: setup ## Format and fix what can be fixed
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

docs: setup ## Rewrite docs/reference from the code
	@$(PY) tools/make_docs.py

bench: setup ## Benchmarks that run without a GPU; results in bench/results
	@set -e; for script in bench/*.py; do echo "== $$script"; $(PY) $$script; done

soak: setup ## Kill parts of a running stack until you stop it; again: goes on; bench/results/kills.md
	@$(PY) tools/soak.py $(ARGS)

audit: setup ## Versions, licences, bill of materials, known vulnerabilities; build/audit
	@$(PY) tools/audit.py $(ARGS)
