# Everything that one does with this checkout. `make` alone lists it. What a target needs and the machine lacks is put
# under .local/ first, without root. infra/local/needed.sh names what must be there beforehand.

IOC := target/debug/ioc
PYTHON ?= python3
TIMED := sh infra/local/timed.sh

.DEFAULT_GOAL := help
.PHONY: e2e help needed setup setup-test dashboard build lora-trainer up link demo bench-quick check check-dashboard clippy deny-where-installed lint-openapi-where-installed test test-one test-dashboard screenshots fmt lint deny audit lint-openapi lint-template bench bench-dashboard lambda runner-package clean

help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  Settings, as environment variables of 'make up':"
	@echo "    IOC_PORT                            port of the API (8000)"
	@echo "    DATABASE_URL, REDIS_URL             servers of your own instead of private ones"
	@echo "    ANTHROPIC_API_KEY, OPENAI_API_KEY   a real model instead of the scripted one (Claude Code; Codex and OpenCode)"

needed: ## Is everything on this machine that must be there beforehand? One message names all that is not
	@PYTHON='$(PYTHON)' sh infra/local/needed.sh

setup: ## Install what is missing into .local: PostgreSQL, Valkey, bubblewrap, OpenCode, ripgrep
	@$(PYTHON) infra/local/setup.py

dashboard: ## Build the dashboard into dashboard/out, where its sources are newer than that
	@$(PYTHON) infra/local/setup.py --dashboard

setup-test: ## All that, and what the tests need: cargo-lambda, MiniStack, moto, cfn-lint, cargo-deny, Schemathesis, the A2A SDK, Claude Code, Codex, Redocly, Spectral, Chromium, fonts
	@$(PYTHON) infra/local/setup.py --test

# Of the whole workspace, so that the dependencies have the features with which the tests use them, and are compiled once.
build: ## Compile the local host, the runner, and the example that the tests start
	@cargo build --locked --workspace --bin ioc --bin ioc-server --bin ioc-runner --bin push-agent

# A workspace of its own with a target of its own: two minutes of compiling that nothing else needs.
lora-trainer: ## Compile the example that trains, for the test that runs it and for COMMAND_TRAINER
	@cargo build --locked --quiet --manifest-path examples/lora-trainer/Cargo.toml --target-dir target/lora-trainer

# Fetching waits for the network and compiling for the processors: both at once.
up: needed ## Set up, start everything on 127.0.0.1:8000 with the dashboard, show the main job once; Ctrl-C ends it
	@$(MAKE) --no-print-directory -j2 dashboard build
	@IOC_COMMIT="$${IOC_COMMIT:-$$(git rev-parse --short=12 HEAD 2>/dev/null)}" exec $(IOC) up

link: build ## Print a new link that opens the dashboard of the running `make up` signed in
	@$(IOC) link

demo: build ## Show the main job once more, against the running `make up`
	@$(IOC) demo

# Tests wait for servers more than they compute, so more of them run at once than there are processors.
# What fails is run once more, alone, and named (docs/adr/0026-repeated-tests.md).
REPEATING := $(PYTHON) infra/local/run_tests.py
TEST := cargo test --locked --workspace --no-fail-fast --lib --bin ioc --test it
export RUST_TEST_THREADS ?= 6

# What `make check` leaves to `make test`: agents, functions and local hosts as programs of their own, agents that speak
# another protocol or are called, faults, trainings, partitions, and tests that take many seconds (docs/testing.md).
LEFT_OUT := faults:: fine_tuning:: fuzz:: killed:: lambda:: local:: ports:: runner:: \
	examples:: experiments:: hostile_text:: slow:: removal:: \
	a2a:: breakers:: datasets:: deactivation:: eap::push marketplace:: partitions:: \
	event_replay:: every_command_in_every_state a_hanging_postgres \
	cost_tests:: the_cost_of disguise_tests:: equal_arms the_interval_holds_the_true_difference every_frame_is_small \
	a_flood_of_calls the_official_sdk the_openapi_3_1_document two_hundred_concurrent
UNLESS_PASSED := sh infra/local/unless_passed.sh

# Each step says its seconds; docs/testing.md has the budgets.
check: needed ## The inner loop: formatting, lints of what has changed, and the tests that need Postgres and Redis alone
	@$(TIMED) 'setup and build' $(MAKE) --no-print-directory -j2 setup build
	@$(TIMED) 'formatting' $(MAKE) --no-print-directory fmt
	@$(TIMED) 'lints' $(MAKE) --no-print-directory clippy
	@$(TIMED) 'dependencies' $(UNLESS_PASSED) dependencies Cargo.lock deny.toml -- $(MAKE) --no-print-directory deny-where-installed
	@$(TIMED) 'OpenAPI' $(UNLESS_PASSED) openapi docs/openapi.json infra/local/openapi -- $(MAKE) --no-print-directory lint-openapi-where-installed
	@if [ -d dashboard/node_modules ]; then \
		$(TIMED) 'dashboard' $(UNLESS_PASSED) dashboard dashboard docs/openapi.json -- $(MAKE) --no-print-directory check-dashboard; \
	fi
	@$(TIMED) 'tests' $(IOC) services -- $(REPEATING) $(TEST) -- $(foreach name,$(LEFT_OUT),--skip $(name))

test: needed ## Everything: formatting, lints, the template, all tests, against real servers of their own
	@$(TIMED) 'setup and build' $(MAKE) --no-print-directory -j2 setup-test build
	@$(TIMED) 'formatting' $(MAKE) --no-print-directory fmt
	@$(TIMED) 'lints' $(MAKE) --no-print-directory lint
	@$(TIMED) 'template' $(MAKE) --no-print-directory lint-template
	@$(TIMED) 'example that trains' $(MAKE) --no-print-directory lora-trainer
	@$(TIMED) 'tests' $(IOC) services -- $(REPEATING) $(TEST) --test parts
	@$(TIMED) 'benchmarks' $(MAKE) --no-print-directory bench-quick
	@$(TIMED) 'dashboard' $(MAKE) --no-print-directory check-dashboard
	@$(TIMED) 'dashboard in a browser' $(MAKE) --no-print-directory e2e

test-one: build ## The tests whose name contains T, with servers of their own: make test-one T=a_session_runs
	@test -n '$(T)' || { echo "make: say which test: make test-one T=a_session_runs" >&2; exit 2; }
	@$(IOC) services -- cargo test --locked --package harness --test it -- '$(T)'

# `make dashboard` (or `make up`, or `make setup-test`) brings what this needs.
check-dashboard: ## The dashboard's types, lints and component tests
	@cd dashboard && npm run --silent typecheck && npm run --silent lint && npm test --silent

test-dashboard: setup-test build ## All of the dashboard: those, its size, and a real browser against the real host
	@$(MAKE) --no-print-directory check-dashboard e2e

e2e:
	@cd dashboard && npm run --silent size && npm run --silent e2e

screenshots: setup-test build ## Every page in both themes, into docs/screenshots
	@cd dashboard && npm run --silent screenshots

fmt: ## Is every file formatted? (cargo fmt does it)
	@cargo fmt --all --check
	@cargo fmt --manifest-path examples/lora-trainer/Cargo.toml --check

lint: clippy deny-where-installed lint-openapi-where-installed ## Does clippy agree? And, where `make setup-test` has put them, cargo-deny and the linters of the document?

clippy:
	@cargo clippy --locked --workspace --all-targets -- -D warnings

deny-where-installed:
	@if [ -x .local/venv-test/bin/cargo-deny ]; then $(MAKE) --no-print-directory deny; fi

lint-openapi-where-installed:
	@if [ -f .local/openapi/.stamp ]; then $(MAKE) --no-print-directory lint-openapi; fi

# Advisories are left out: their database is a git repository, and only package registries can be counted on here.
# cargo-deny reads the crates of every platform, and cargo fetches those of others only when it is asked to.
deny: ## Are licences and sources of all dependencies allowed (deny.toml)?
	@cargo fetch --locked --quiet
	@.local/venv-test/bin/cargo-deny --locked --offline check --hide-inclusion-graph bans licenses sources

# Apart from `make test`: what it finds depends on the day and on the network, not on the code.
audit: ## Are there known vulnerabilities? Asks npm's registry; ADVISORY_DB=path of a clone checks the crates as well
	@sh infra/local/audit.sh

# Built and run with the same packages, so that nothing is compiled twice.
BENCHED := --locked --package cli --package local --package functions --package runner --package harness

bench: needed ## Measure, beside the floor; BENCH="--quick", "--only http,locks", or "--compare REV" with another revision
	@$(MAKE) --no-print-directory setup
	@cargo build --release $(BENCHED) --bin ioc --bin ioc-server --bin ioc-runner --bench bench
	@cargo build --profile lambda $(BENCHED) --bin sessions
	@target/release/ioc services -- cargo bench $(BENCHED) --bench bench -- --json "$(CURDIR)/target/bench.json" $(BENCH)

QUICK := $(IOC) services -- cargo test --locked --workspace --bench bench -- --quick

bench-quick: build ## Can everything that `make bench` measures still be measured? The figures of a debug build mean nothing
	@cargo build --locked --workspace --bin sessions
	@$(QUICK) || { echo 'benchmarks: repeating once what failed (docs/adr/0026-repeated-tests.md)'; $(QUICK); }

bench-dashboard: setup-test build ## Measure the dashboard in a real browser against the local host with 100 000 sessions
	@cd dashboard && npm run --silent figures

lambda: setup-test ## Build the Lambda functions into target/lambda; ARCH=--arm64 as they are deployed
	@PATH="$(CURDIR)/.local/venv-test/bin:$$PATH" cargo lambda build --locked --profile lambda --package functions $(ARCH)
	@for binary in target/lambda/*/bootstrap; do \
		printf '%-30s %9d bytes, %8d zipped\n' $$binary $$(wc -c <$$binary) $$(gzip -9 -c $$binary | wc -c); \
	done

# A rule that warns fails too. Neither linter may call another host.
lint-openapi: export REDOCLY_TELEMETRY = off
lint-openapi: export REDOCLY_SUPPRESS_UPDATE_NOTICE = true
lint-openapi: ## Do Redocly's recommended rules and spectral:oas agree with docs/openapi.json?
	@.local/openapi/node_modules/.bin/redocly lint --config infra/local/openapi/redocly.yaml --format summary --max-problems 1000 docs/openapi.json
	@.local/openapi/node_modules/.bin/spectral lint --ruleset infra/local/openapi/spectral.yaml --fail-severity warn --quiet docs/openapi.json

lint-template: ## Does cfn-lint agree with template.yaml and the templates of runners? (a test asks the same)
	@.local/venv-test/bin/cfn-lint template.yaml infra/aws/runner/*.yaml

# With the programs that `make setup-test` has installed; infra/aws/runner/README.md says what it is for.
runner-package: ## Pack the runner and the agents' programs into target/ioc-runner.tar.gz, for infra/aws/runner
	@cargo build --locked --release --package runner --bin ioc-runner
	@sh infra/aws/runner/package.sh target/release/ioc-runner .local target/ioc-runner.tar.gz

clean: ## Remove what was built and everything under .local, data included
	@rm -rf .local dashboard/out dashboard/.next dashboard/node_modules
	@cargo clean
