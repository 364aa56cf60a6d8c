# The commands of this workspace. Each is a line or a script; `make` alone lists them.

PREFIX ?= /usr/local
DESTDIR ?=
CARGO ?= cargo
# Words for the binaries that take some: make demo ARGS="--rate 200"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test soak check bench build install

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

setup: ## install what building, testing and the demo need (Debian 12)
	@scripts/setup.sh

demo: setup ## a lab with a collector and an agent a node, until Ctrl-C
	$(CARGO) build --release -p nightshift -p nightshift-agent -p tests
	@scripts/built.sh release lab demo $(ARGS)

test: setup ## all tests
	$(CARGO) test --workspace --no-fail-fast $(ARGS)

soak: setup ## long campaigns of faults and random input; writes docs/soak.md
	$(CARGO) build --release -p nightshift -p nightshift-agent
	NIGHTSHIFT_TEST_DATABASES=500 $(CARGO) test -p nightshift-agent --test postgres many_databases
	$(CARGO) run --release -p tests --bin soak -- $(ARGS)

check: ## formatting and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

bench: setup ## the cost of agent and collector beside their peers'; writes docs/benchmarks.md
	$(CARGO) build --release -p nightshift -p nightshift-agent
	$(CARGO) run --release -p tests --bin bench -- $(ARGS)

build: ## release binaries
	$(CARGO) build --release -p nightshift -p nightshift-agent

install: build ## binaries, systemd units, rule packs and sample configurations, below PREFIX
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" scripts/install.sh
