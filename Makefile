# registrard: `make` builds, `make check` tests everything, `make demo` shows the main job.
# `make help` lists the targets.

CC ?= gcc
BUILD ?= build
VERSION := 0.1.0
PREFIX ?= /usr
SYSCONFDIR ?= /etc
UNITDIR ?= /lib/systemd/system

MODULES := libevent libevent_openssl libssl libcurl libcrypto yaml-0.1 libsecp256k1 sqlite3 jansson libsystemd libseccomp libcbor
OPT ?= -O2 -g
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
HARDEN ?= -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
CPPFLAGS += -I. -D_GNU_SOURCE -DREGISTRARD_VERSION='"$(VERSION)"'
CFLAGS_ALL = -std=c17 $(OPT) $(WARN) $(HARDEN) $(SAN_FLAGS) -pthread $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now $(SAN_FLAGS) -pthread $(LDFLAGS)
LIBS = $(shell pkg-config --libs $(MODULES)) -lm

# SAN=1 builds everything with AddressSanitizer and UBSan into its own folder.
ifeq ($(SAN),1)
BUILD := build/san
OPT := -O1 -g -fno-omit-frame-pointer
HARDEN :=
SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all
endif

# FUZZ=1 builds for libFuzzer: `make fuzz` does.
ifeq ($(FUZZ),1)
BUILD := build/fuzz
CC := clang
OPT := -O1 -g -fno-omit-frame-pointer
HARDEN :=
SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS += -fsanitize=fuzzer-no-link
endif

COMMON_SRC := $(wildcard common/*/*.c)
DAEMON_SRC := $(filter-out daemon/registrard/main.c daemon/ctl/main.c,$(wildcard daemon/*/*.c))
TEST_SRC := $(wildcard tests/unit/test_*.c)
TEST_LIB_SRC := $(filter-out $(TEST_SRC),$(wildcard tests/unit/*.c))
TEST_SCRIPTS := $(wildcard tests/unit/test_*.sh)
E2E := $(sort $(wildcard tests/e2e/*.test.mjs))
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(TEST_SRC))
BENCH := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
REPLAYS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/%,$(FUZZ_SRC))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/%,$(FUZZ_SRC))
PROGRAMS := $(BUILD)/registrard $(BUILD)/registrarctl

# --- build ------------------------------------------------------------------------------------

.PHONY: all
all: $(PROGRAMS) ## build build/registrard and build/registrarctl (the default)

$(BUILD)/registrard: $(call obj,daemon/registrard/main.c) $(BUILD)/libdaemon.a $(BUILD)/libcommon.a
$(BUILD)/registrarctl: $(call obj,daemon/ctl/main.c) $(BUILD)/libdaemon.a $(BUILD)/libcommon.a
$(BUILD)/options-doc: $(call obj,tools/options-doc.c) $(BUILD)/libcommon.a
$(BUILD)/lifecycle-doc: $(call obj,tools/lifecycle-doc.c) $(BUILD)/libcommon.a
$(BUILD)/registrard $(BUILD)/registrarctl $(BUILD)/options-doc $(BUILD)/lifecycle-doc:
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(BUILD)/libcommon.a: $(call obj,$(COMMON_SRC))
$(BUILD)/libdaemon.a: $(call obj,$(DAEMON_SRC))
$(BUILD)/libcommon.a $(BUILD)/libdaemon.a:
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/%.o: %.c | packages-present
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(TESTS): $(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(call obj,$(TEST_LIB_SRC)) $(BUILD)/libdaemon.a $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS) -lcmocka

$(REPLAYS): $(BUILD)/tests/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/replay.o $(BUILD)/libdaemon.a $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

.PHONY: packages-present
packages-present:
	@tools/packages present

.PHONY: compile
compile: $(PROGRAMS) $(TESTS) $(REPLAYS) $(BENCH) ## build the programs, every test and bench program, run nothing

.PHONY: docs
docs: $(BUILD)/options-doc $(BUILD)/lifecycle-doc ## write OPTIONS.md, LIFECYCLE.md and registrard.yaml.5 from the tables
	$(BUILD)/options-doc markdown >docs/OPTIONS.md
	$(BUILD)/options-doc man >docs/registrard.yaml.5
	$(BUILD)/lifecycle-doc >docs/LIFECYCLE.md

# --- tests ------------------------------------------------------------------------------------

.PHONY: check
check: ## install what is missing and run every test
	@tools/packages test
	+@MAKE="$(MAKE)" tools/check

.PHONY: check-source
check-source: ## layers, banned calls, sizes, hidden state: what a compiler does not check
	@tools/check-source

.PHONY: unit
unit: $(TESTS) $(REPLAYS) $(BUILD)/lifecycle-doc ## unit tests and fuzz corpora; SAN=1: under AddressSanitizer and UBSan
	@BUILD=$(BUILD) tests/unit/run $(TESTS) $(REPLAYS) $(TEST_SCRIPTS)

SECONDS ?= 60
.PHONY: fuzz fuzzers
fuzz: ## run every fuzz target for SECONDS=60 each; FUZZ_SRC=tests/fuzz/fuzz_x.c for one
	@tools/packages test
	@$(MAKE) --no-print-directory -s FUZZ=1 fuzzers
	@tests/fuzz/run $(SECONDS) $(FUZZERS:$(BUILD)/%=build/fuzz/%)

fuzzers: $(FUZZERS)
$(FUZZERS): $(BUILD)/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/libdaemon.a $(BUILD)/libcommon.a
	$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $^ $(LIBS)

.PHONY: valgrind
valgrind: $(PROGRAMS) $(BUILD)/tests/valgrind-self.so ## the daemon's start and stop under valgrind
	@tests/valgrind/run $(BUILD)

$(BUILD)/tests/valgrind-self.so: tests/valgrind/self.c
	@mkdir -p $(@D)
	$(CC) -std=c17 -D_GNU_SOURCE $(WARN) -O2 -fPIC -shared -o $@ $<

.PHONY: e2e
e2e: $(PROGRAMS) node-modules ## the whole product against a real EVM; E2E=tests/e2e/x.test.mjs for one file
	@node tests/contracts/compile.mjs >/dev/null
	@node --test --test-concurrency=$(shell nproc) $(E2E)

$(BENCH): $(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/tests/unit/store_fill.o $(BUILD)/libdaemon.a $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

.PHONY: bench
bench: ## install what is missing and measure against other tools; BENCH_QUICK=1 is shorter
	@tools/packages bench
	@$(MAKE) --no-print-directory -s all bench-programs node-modules bench-modules
	@node tests/bench/bench.mjs

.PHONY: bench-programs bench-modules
bench-programs: $(BENCH)
bench-modules: tests/bench/node_modules/.package-lock.json
tests/bench/node_modules/.package-lock.json: tests/bench/package-lock.json
	cd tests/bench && npm ci --no-audit --no-fund
	@touch $@

.PHONY: demo
demo: ## install what is missing and show the main job, from a dropped build to confirmed
	@tools/packages demo
	@[ -x $(BUILD)/registrard ] || echo "building registrard: about a minute, once"
	@$(MAKE) --no-print-directory -s all node-modules
	@node tests/demo/demo.mjs

# npm leaves its own list behind; it is older than the lock file when the lock file changed.
.PHONY: node-modules
node-modules: tests/node_modules/.package-lock.json
tests/node_modules/.package-lock.json: tests/package-lock.json
	cd tests && npm ci --no-audit --no-fund
	@touch $@

# --- install ----------------------------------------------------------------------------------

DOCDIR = $(DESTDIR)$(PREFIX)/share/doc/registrard
MANDIR = $(DESTDIR)$(PREFIX)/share/man

.PHONY: install
install: $(PROGRAMS) ## install below DESTDIR: programs, unit file, example, documentation
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSCONFDIR)/registrard \
		$(DOCDIR) $(MANDIR)/man1 $(MANDIR)/man5 $(MANDIR)/man8
	install -m 755 $(BUILD)/registrard $(DESTDIR)$(PREFIX)/sbin/registrard
	install -m 755 $(BUILD)/registrarctl $(DESTDIR)$(PREFIX)/bin/registrarctl
	sed 's|/usr/sbin/registrard|$(PREFIX)/sbin/registrard|; s|/etc/registrard/|$(SYSCONFDIR)/registrard/|' \
		systemd/registrard.service >$(DESTDIR)$(UNITDIR)/registrard.service
	chmod 644 $(DESTDIR)$(UNITDIR)/registrard.service
	install -m 644 config/registrard.example.yaml $(DESTDIR)$(SYSCONFDIR)/registrard/registrard.example.yaml
	install -m 644 LICENSE README.md $(wildcard docs/*.md) $(DOCDIR)
	install -m 644 docs/registrarctl.1 $(MANDIR)/man1
	install -m 644 docs/registrard.yaml.5 $(MANDIR)/man5
	install -m 644 docs/registrard.8 $(MANDIR)/man8

# --- the rest ---------------------------------------------------------------------------------

.PHONY: clean
clean: ## remove what was built
	rm -rf build

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
