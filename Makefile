# walkforward: `make help` lists what can be made.
# One profile for everything, so that dependencies are compiled once: about twenty minutes on two cores, then seconds.

WALKFORWARD := target/release/walkforward
.DEFAULT_GOAL := help
.PHONY: help build demo test faults s3-server lint bench bench-tune calibrate clean

help:            ## show this list
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*## / - /'

build:           ## compile the program
	@test -x $(WALKFORWARD) || echo "Compiling walkforward and its libraries: about twenty minutes the first time on two cores."
	cargo build --release --locked

demo: build      ## run the main job on the shipped data and show what it decided
	@docs/demo.sh $(WALKFORWARD)

# property tests draw the same cases every time here; plain `cargo test` draws new ones
test: s3-server  ## run every test
	PROPTEST_RNG_SEED=20130301 cargo test --release --locked

# the table is printed whatever it says; it is also left in target/faults.txt
faults: build s3-server ## kill, starve, damage and race the program everywhere, and print what became of it (ten minutes)
	@rm -f target/faults.txt
	@cargo test --release --locked --test it --quiet -- --ignored --exact faults::the_whole_table > target/faults.log 2>&1; \
	    status=$$?; cat target/faults.txt 2>/dev/null || cat target/faults.log; exit $$status

# tests of S3 talk to a server of their own on this machine
s3-server: target/s3-server/ready ## install the S3 server that tests need (Python, about 300 MB below target)

target/s3-server/ready: tests/s3-server.txt
	@echo "Installing the S3 server that tests talk to."
	python3 -m venv target/s3-server
	target/s3-server/bin/pip install --quiet --disable-pip-version-check --requirement tests/s3-server.txt
	@touch $@

lint:            ## formatting and clippy, warnings refused
	cargo fmt --check
	cargo clippy --release --locked --all-targets -- -D warnings

bench: build     ## CPU seconds of the weekly pipeline, the orchestrator on 50 to 10,000 nodes, the store beside sha256sum, features
	@benches/weekly.sh $(WALKFORWARD)
	@benches/orchestrator.sh $(WALKFORWARD)
	@benches/store.sh $(WALKFORWARD)
	@cargo bench --bench features

bench-tune:      ## samplers beside stored results of Optuna 5, time of a proposal, cost of the overfitting figures
	@benches/tune.sh

# the rates stand in docs/guide/why.md and docs/guide/drift.md
calibrate:       ## how often tests and gate are right: false alarms, power, promotions with their errors, on known truths (QUICK=1: less)
	@cargo bench --bench calibrate -- $(if $(QUICK),--quick)
	@cargo bench --bench calibrate_gate -- $(if $(QUICK),100,1000)

clean:           ## forget all artifacts, runs and models of the local store
	rm -rf artifacts/store artifacts/reports
