# Short names for what is run often; `make` lists them.
.DEFAULT_GOAL := help
.PHONY: help test all format types contracts docs golden facts calibration verify bench fuzz lock web

help: ## list these
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

test: ## everyday checks
	scripts/test
all: ## every check, with servers, browsers and other days
	scripts/test --all
format: ## format the code
	.venv/bin/ruff format . && .venv/bin/ruff check --fix .
types: ## check types
	.venv/bin/mypy
contracts: ## check who imports whom
	.venv/bin/lint-imports
docs: ## write the generated pages anew
	scripts/make_docs.py
golden: ## write the kept answers and forms anew, to be read before they are committed
	GPUPLAN_UPDATE_GOLDEN=1 scripts/test tests/report/test_golden.py tests/test_answers.py
facts: ## make pricing/facts from a folder of raw tables (FACTS=FOLDER)
	scripts/make_facts.py --facts $(FACTS)
calibration: ## fit the constants of speed anew
	scripts/calibrate.py
verify: ## predictions against the measured rows
	scripts/run verify
bench: ## print measured figures of this machine (NAME=store, web, ...)
	scripts/bench $(NAME)
fuzz: ## feed every door malformed input
	.venv/bin/python scripts/fuzz.py 1000 1
lock: ## pin the dependencies anew
	scripts/lock
web: ## the web app, on this machine
	scripts/run web
