# What a person types. Everything a command needs that Rust, gcc, make, git and Python 3.11 do not bring, it sets up.

VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help demo test setup gnupg faults schema build package-size lock format

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

demo: setup ## play the life of an access key on this machine
	@echo '== building (the first time takes minutes)'
	cargo build --quiet --example demo --bin iam-access-key
	@cargo run --quiet --example demo

test: gnupg setup ## every check and every test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items
	cargo test --workspace
	cargo test --workspace --doc --quiet
	cfn validate
	cfn-lint template.yml
	cfn-lint --registry-schemas schema -- examples/*.yml
	ruff format --check cfn-plugin dev
	ruff check cfn-plugin dev
	cd cfn-plugin && mypy && pytest --quiet
	mypy --config-file dev/engine/pyproject.toml dev/engine
	pytest --quiet dev/engine/tests
	$(MAKE) package-size

gnupg:
	@command -v gpg > /dev/null || { echo 'the tests make OpenPGP keys with GnuPG, which is missing: apt-get install gnupg'; exit 1; }

setup: $(VENV)/installed

$(VENV)/installed: dev/requirements.txt cfn-plugin/pyproject.toml
	@echo '== setting up $(VENV) (once)'
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --requirement dev/requirements.txt
	$(VENV)/bin/pip install --quiet --no-deps --editable ./cfn-plugin
	@touch $@

faults: setup ## every handler with every fault at every call: write the table of outcomes
	-cargo test --test faults -- --nocapture
	cp target/tmp/outcomes.md tests/faults/outcomes.md

schema: ## write the registry schema from the model
	cargo run --quiet --package access-key-schema --example generate > target/aws-iam-accesskey.json
	mv target/aws-iam-accesskey.json schema/aws-iam-accesskey.json

build: setup ## the release binary, for Lambda
	cargo lambda build --release --x86-64

package-size: build ## is the package small enough, and does it run on Lambda's glibc
	python3 dev/check_package.py target/lambda/iam-access-key/bootstrap

lock: ## pin the Python tools anew
	rm -rf target/lock && python3 -m venv target/lock
	target/lock/bin/pip install --quiet --requirement dev/requirements.in
	(echo '# Made by `make lock` from requirements.in.' && target/lock/bin/pip freeze) > dev/requirements.txt
	rm -rf target/lock

format: setup ## format everything
	cargo fmt --all
	ruff format cfn-plugin dev
	ruff check --fix cfn-plugin dev
