# What a person types. Everything a command needs that Rust, gcc, make, git and Python 3.11 do not bring, it sets up.

VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help demo test contract sam setup gnupg faults fuzz schema build package package-size lock format

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

demo: setup ## play the life of an access key, on stacks, on this machine
	@echo '== building the handlers (the first time takes minutes)'
	@cargo build --quiet --bin iam-access-key
	@python dev/demo.py

test: gnupg setup $(VENV)/cdk/installed ## every check and every test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items
	cargo test --workspace
	cfn validate
	cfn-lint registration.yml resource-role.yaml template.yml
	@# cfn-lint 1.58 checks no properties of a type under a name that it does not know itself (E3002 and the like).
	rm -rf target/examples && mkdir -p target/examples
	for each in examples/*.yml; do sed s/Acme::IAM::AccessKey/AWS::IAM::AccessKey/ $$each > target/$$each || exit; done
	cfn-lint --registry-schemas schema -- target/examples/*.yml
	ruff format --check cfn-plugin dev
	ruff check cfn-plugin dev
	cd cfn-plugin && mypy && pytest --quiet
	$(MAKE) contract
	$(MAKE) package-size
	cd dev && mypy && CDK_PYTHON=$(CURDIR)/$(VENV)/cdk/bin/python pytest --quiet

contract: setup ## the CloudFormation CLI's contract tests, against the function on this machine
	cargo build --quiet --bin iam-access-key
	python dev/contract.py target/debug/iam-access-key

sam: build $(VENV)/sam/installed ## the same in a Lambda container; STAND_IN=1 pulls no image
	python dev/sam.py $(if $(STAND_IN),--stand-in)

$(VENV)/sam/installed: dev/sam-requirements.txt $(VENV)/installed
	python3 -m venv $(VENV)/sam
	$(VENV)/sam/bin/pip install --quiet --requirement dev/sam-requirements.txt
	@touch $@

gnupg:
	@command -v gpg > /dev/null || (apt-get update -qq && apt-get install -qq -y gnupg) || \
		{ echo 'the tests make OpenPGP keys with GnuPG, which is missing: apt-get install gnupg'; exit 1; }

$(VENV)/cdk/installed: examples/cdk/requirements.txt $(VENV)/installed
	python3 -m venv $(VENV)/cdk
	$(VENV)/cdk/bin/pip install --quiet --requirement examples/cdk/requirements.txt
	@touch $@

setup: $(VENV)/installed

$(VENV)/installed: dev/requirements.txt dev/guard-rail-requirements.txt cfn-plugin/pyproject.toml
	@echo '== setting up $(VENV) (once)'
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --requirement dev/requirements.txt
	$(VENV)/bin/pip install --quiet --no-deps --editable ./cfn-plugin
	python3 -m venv $(VENV)/guard-rail
	$(VENV)/guard-rail/bin/pip install --quiet --no-deps --requirement dev/guard-rail-requirements.txt
	@touch $@

faults: setup ## every handler with every fault at every call: write the table of outcomes
	rm -f target/tmp/outcomes.md
	UPDATE_OUTCOMES=1 cargo test --test faults -- --nocapture
	cp target/tmp/outcomes.md tests/faults/outcomes.md

FUZZ_RUNS := 100000
FUZZ := RUSTC_BOOTSTRAP=1 PATH=$(CURDIR)/target/tools/bin:$$PATH cargo fuzz run --sanitizer none
fuzz: target/tools/bin/cargo-fuzz ## any bytes at all as a request, and as an OpenPGP key; FUZZ_RUNS=1000000 for more
	@mkdir -p target/fuzz/request target/fuzz/openpgp
	$(FUZZ) request target/fuzz/request fuzz/corpus/request -- -runs=$(FUZZ_RUNS) -max_len=4096
	$(FUZZ) openpgp target/fuzz/openpgp fuzz/corpus/openpgp -- -runs=$(FUZZ_RUNS) -max_len=4096

target/tools/bin/cargo-fuzz:
	cargo install cargo-fuzz --version 0.13.2 --locked --quiet --root target/tools

schema: setup ## write the registry schema, the type reference and the role from the model
	python dev/generate.py

build: setup ## the release binary, for Lambda
	cargo lambda build --release --x86-64

package: setup ## what the registry is sent; TYPE_NAME=Acme::IAM::AccessKey names the type
	python dev/package.py $(TYPE_NAME)

package-size: build ## is the package small enough, and does it run on Lambda's glibc
	python3 dev/check_package.py target/lambda/iam-access-key/bootstrap

lock: ## pin the Python tools anew
	$(MAKE) dev/requirements.lock dev/sam-requirements.lock

%.lock: %.in
	rm -rf target/lock && python3 -m venv target/lock
	target/lock/bin/pip install --quiet --requirement $<
	(echo '# Made by `make lock` from $(notdir $<).' && target/lock/bin/pip freeze) > $*.txt
	rm -rf target/lock

format: setup ## format everything
	cargo fmt --all
	ruff format cfn-plugin dev
	ruff check --fix cfn-plugin dev

.PHONY: simulate
LIVES := 100000
simulate: ## the handlers in LIVES=100000 lives full of faults, on simulated time; SEED=… replays one
	LIVES=$(LIVES) SEED=$(SEED) cargo test --profile simulation --package access-key-handlers --test simulation -- \
		--nocapture nothing_is_lost
