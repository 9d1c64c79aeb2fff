# What a person types. Everything a command needs that Rust, gcc, make, git and Python 3.11 do not bring, it sets up.

VENV := .venv
BOOTSTRAP := target/lambda/iam-access-key/bootstrap
UNSTRIPPED := target/lambda/iam-access-key.unstripped
# Of pytest: the tests wait for the processes that they start more than they work.
WORKERS := 4
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help doctor demo recording check test contract live sam setup gnupg valgrind faults simulate mutations fuzz schema build package release deny package-size cold-read record-cold-read bench lock format permissions

help:
	@awk -F ':.*## ' '/^##@ / {print "\n" substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

##@ To see it

demo: setup ## play the life of an access key, on local stacks
	@echo '== building the handlers (the first time takes minutes)'
	@cargo build --quiet --bin iam-access-key
	@python dev/demo.py

recording: setup ## when the demo prints something else: write the README's picture of it
	cargo build --quiet --bin iam-access-key
	python dev/recording.py

doctor: ## say what this machine lacks, and how to install it
	@command -v python3 > /dev/null || { echo 'missing    Python 3.11: apt-get install python3 python3-venv'; exit 1; }
	@python3 dev/doctor.py

##@ To change it

PYTHON := benches cfn-engine cfn-plugin dev examples

define LINTS
cargo fmt --all --check
cargo clippy --workspace --all-targets -- -D warnings
ruff format --check $(PYTHON)
ruff check $(PYTHON)
check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
zizmor --quiet --offline .github
endef

check: gnupg setup ## before a commit, under a minute: format, lints, unit tests, are generated files current
	$(LINTS)
	cargo test --quiet --workspace --lib --bins --test in_process
	cd dev && pytest --quiet tests/test_generated.py

test: doctor gnupg valgrind setup $(VENV)/cdk/installed dev/policy_simulator/node_modules ## before a change is done: every check and every test
	$(LINTS)
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items
	@# What its calls to AWS are is a test of its own, in dev/tests/test_permissions.py.
	rm -rf target/tmp/aws-calls
	cargo test --workspace
	cfn validate
	cfn-lint contract-test-users.yml registration.yml resource-role.yaml template.yml
	@# cfn-lint 1.58 checks no properties of a type under a name that it does not know itself (E3002 and the like).
	rm -rf target/examples && mkdir -p target/examples/from-amazons-type
	for each in examples/*.yml examples/*/*.yml; do sed s/Acme::IAM::AccessKey/AWS::IAM::AccessKey/ $$each > target/$$each || exit; done
	cfn-lint --registry-schemas schema -- target/examples/*.yml target/examples/*/*.yml
	cd benches && mypy
	cd cfn-plugin && mypy && pytest --quiet --numprocesses $(WORKERS)
	cd cfn-engine && mypy && pytest --quiet --numprocesses $(WORKERS)
	$(MAKE) contract
	$(MAKE) package-size cold-read
	cd dev && mypy && CDK_PYTHON=$(CURDIR)/$(VENV)/cdk/bin/python pytest --quiet --numprocesses $(WORKERS)

contract: setup ## when a handler's answers change: CloudFormation's contract tests, v1 and v2; writes docs/contract-tests.md
	cargo build --quiet --package iam-access-key --bin iam-access-key --package acme-notes-note --bin acme-notes-note
	python dev/contract.py target/debug/iam-access-key target/debug/acme-notes-note

live: setup ## when docs/assumptions.md is to be checked: in your own AWS account; asks first. Never run on the real AWS yet
	cargo build --quiet --bin iam-access-key
	python dev/live.py

permissions: setup $(VENV)/permissions/installed ## when a role changes: the life of a key where signatures and policies are enforced
	cargo build --quiet --bin iam-access-key
	python dev/permissions.py

NOTE := runtime/examples/note/acme-notes-note.json
schema: setup ## when a model changes: write the registry schemas, the type reference and the role
	cfn generate
	cargo run --quiet --package acme-notes-note --example generate > target/$(notdir $(NOTE))
	cp target/$(notdir $(NOTE)) $(NOTE)

faults: setup ## when the handling of faults changes: write the table of outcomes
	rm -f target/tmp/outcomes.md
	UPDATE_OUTCOMES=1 cargo test --test faults -- --nocapture
	cp target/tmp/outcomes.md tests/faults/outcomes.md

LIVES := 100000
simulate: ## when what happens to a key changes: lives full of faults, on simulated time; LIVES=…, SEED=… replays one
	LIVES=$(LIVES) SEED=$(SEED) cargo test --profile simulation --package access-key-handlers --test simulation -- \
		--nocapture nothing_is_lost

mutations: LIVES := 3000
mutations: setup ## when the simulation changes: does it notice a rule that is switched off; writes its page; RULE=050 tries one
	LIVES=$(LIVES) RULE=$(RULE) python dev/mutations.py

FUZZ_RUNS := 100000
FUZZ := RUSTC_BOOTSTRAP=1 PATH=$(CURDIR)/target/tools/bin:$$PATH cargo fuzz run --sanitizer none
fuzz: target/tools/bin/cargo-fuzz ## when decoding changes: any bytes as a request, and as an OpenPGP key; FUZZ_RUNS=1000000 for more
	@mkdir -p target/fuzz/request target/fuzz/openpgp
	$(FUZZ) request target/fuzz/request fuzz/corpus/request -- -runs=$(FUZZ_RUNS) -max_len=4096
	$(FUZZ) openpgp target/fuzz/openpgp fuzz/corpus/openpgp -- -runs=$(FUZZ_RUNS) -max_len=4096

# Where the advisories of RustSec cannot be fetched: DENY_CHECKS='bans licenses sources'.
DENY_CHECKS :=
deny: target/tools/bin/cargo-deny ## when a dependency changes: licenses, sources and known vulnerabilities; takes minutes to install
	target/tools/bin/cargo-deny check $(DENY_CHECKS)

format: setup ## format everything
	cargo fmt --all
	ruff format $(PYTHON)
	ruff check --fix $(PYTHON)

bench: build valgrind $(VENV)/peer/installed ## when speed matters: measure, beside the official Python runtime; writes docs/performance.md
	cargo build --release --example floor
	python benches/bench.py $(BOOTSTRAP) $(UNSTRIPPED) target/release/examples/floor $(VENV)/peer/bin/python

lock: $(addsuffix .lock,benches/peers/requirements dev/requirements dev/permissions-requirements dev/guard-rail-requirements dev/sam-requirements examples/cdk/requirements) ## lock the newest Python tools, with their hashes

##@ To register it

# The binary names the files of what it is made from: by paths that do not say where, and by whom, it was built.
SAME_PATHS = --remap-path-prefix=$(CURDIR)=/iam-access-key --remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}=/cargo

TYPE_NAME ?= Acme::IAM::AccessKey
package: setup ## what the registry is sent; TYPE_NAME=Example::IAM::AccessKey names the type
	python dev/package.py $(TYPE_NAME)

build: setup ## the release binary, for Lambda; the same bytes wherever it is built
	@# Not RUSTFLAGS, which would take the place of the CPU that cargo-lambda builds for.
	CARGO_BUILD_RUSTFLAGS="$(SAME_PATHS)" cargo lambda build --release --x86-64
	@# Counting instructions, and searching for code, take the symbols.
	cp $(BOOTSTRAP) $(UNSTRIPPED)
	strip $(BOOTSTRAP)

release: setup deny ## what a release publishes: built twice, with SBOM and checksums; RELEASING.md says how to go on
	python dev/release.py $(TYPE_NAME)

package-size: build ## is the package small enough, does it run on Lambda's glibc, is it free of slow code
	python benches/check_package.py $(BOOTSTRAP) $(UNSTRIPPED)

cold-read: build valgrind ## did a cold READ get slower: its instructions, against benches/cold_read.json
	python benches/instructions.py $(UNSTRIPPED)

record-cold-read: build valgrind ## when a cold READ may take what it takes now: write benches/cold_read.json
	python benches/instructions.py --record $(UNSTRIPPED)

sam: build $(VENV)/sam/installed ## sam-tests/ and the contract tests in a Lambda container (needs Docker); STAND_IN=1 pulls no image
	python dev/sam.py $(if $(STAND_IN),--stand-in)

# What the commands above need.

setup: $(VENV)/installed $(VENV)/guard-rail/installed

$(VENV)/installed: dev/requirements.txt cfn-engine/pyproject.toml cfn-plugin/pyproject.toml
	@echo '== setting up $(VENV) (once)'
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --require-hashes --no-deps --requirement dev/requirements.txt
	$(VENV)/bin/pip install --quiet --no-deps --no-build-isolation --editable ./cfn-engine --editable ./cfn-plugin
	@touch $@

# Tools that want other versions of what the tools above bring.
$(VENV)/guard-rail/installed: dev/guard-rail-requirements.txt
$(VENV)/permissions/installed: dev/permissions-requirements.txt
$(VENV)/sam/installed: dev/sam-requirements.txt
$(VENV)/cdk/installed: examples/cdk/requirements.txt
$(VENV)/peer/installed: benches/peers/requirements.txt
$(VENV)/%/installed: | $(VENV)/installed
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --require-hashes --no-deps --requirement $<
	@touch $@

# Node has certificate authorities of its own. Behind a proxy that reads TLS, those of the system count.
NODE_EXTRA_CA_CERTS ?= $(wildcard /etc/ssl/certs/ca-certificates.crt)
dev/policy_simulator/node_modules: dev/policy_simulator/package-lock.json | $(VENV)/cdk/installed
	PATH=$(CURDIR)/$(VENV)/cdk/bin:$$PATH NODE_EXTRA_CA_CERTS=$(NODE_EXTRA_CA_CERTS) npm ci --silent --no-audit --no-fund --prefix $(@D)
	@touch $@

gnupg:
	@command -v gpg > /dev/null || (apt-get update -qq && apt-get install -qq -y gnupg) || \
		{ echo 'the tests make OpenPGP keys with GnuPG, which is missing: apt-get install gnupg'; exit 1; }

target/tools/bin/cargo-deny:
	cargo install cargo-deny --version 0.20.2 --locked --quiet --root target/tools

valgrind:
	@command -v valgrind > /dev/null || (apt-get update -qq && apt-get install -qq -y valgrind) || \
		{ echo 'instructions are counted with valgrind, which is missing: apt-get install valgrind'; exit 1; }

target/tools/bin/cargo-fuzz:
	cargo install cargo-fuzz --version 0.13.2 --locked --quiet --root target/tools

# Only the hashes hold: no index is named, and every platform's files are taken.
dev/guard-rail-requirements.lock: LOCK_OPTIONS := --no-deps
%.lock: %.in $(VENV)/installed
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command 'make lock' $(LOCK_OPTIONS) --output-file $*.txt $<
