# Everything installs itself into target/, .venv/ and node/node_modules. See CONTRIBUTING.md.
PYTHON ?= python3

.DEFAULT_GOAL := help
SUITES := $(addprefix test-,checks rust python node swift kotlin scenarios packages)
.PHONY: help test lint demo bench package api clean $(SUITES)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-16s %s\n", $$1, $$2}' Makefile
	@echo "make test-SUITE       one suite: checks, rust, python, node, swift, kotlin, scenarios, packages"

test: ## run every test in every language; ends with the sum
	@$(PYTHON) scripts/test

# A pattern alone would not be looked at for phony targets.
$(SUITES): test-%:
	@$(PYTHON) scripts/test $*

lint: ## formatting, clippy, rustdoc, ruff, mypy and tsc; warnings are errors
	@$(PYTHON) scripts/lint

demo: ## show the product at work; INPUT=file.json uses your own data
	@INPUT="$(INPUT)" scripts/demo

bench: ## measure, and print one table beside the targets
	@$(PYTHON) scripts/bench

package: ## build the packages of every language, and try each in an empty folder
	@$(PYTHON) scripts/package

api: ## write bindings/uniffi/api.txt, the list of what the boundary exports
	@$(PYTHON) scripts/api

clean: ## remove everything that was built or installed
	rm -rf target .venv .cache node/node_modules node/dist node/build swift/.build swift/Native kotlin/target
