# registrard: `make` builds, `make check` tests everything, `make demo` shows the main job.
# `make help` lists the targets.

CC ?= gcc
BUILD ?= build
VERSION := 0.1.0
PREFIX ?= /usr
SYSCONFDIR ?= /etc
UNITDIR ?= /lib/systemd/system

MODULES := libevent libcurl libcrypto yaml-0.1 libsecp256k1 sqlite3 jansson libsystemd libseccomp libcbor
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

COMMON_SRC := $(wildcard common/*/*.c)
DAEMON_SRC := $(filter-out daemon/registrard/main.c daemon/ctl/main.c,$(wildcard daemon/*/*.c))
TEST_SRC := $(wildcard tests/unit/test_*.c)
TEST_LIB_SRC := $(filter-out $(TEST_SRC),$(wildcard tests/unit/*.c))
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(TEST_SRC))
PROGRAMS := $(if $(wildcard daemon/registrard/main.c),$(BUILD)/registrard) \
            $(if $(wildcard daemon/ctl/main.c),$(BUILD)/registrarctl)

.PHONY: all
all: packages-present $(PROGRAMS)

$(BUILD)/registrard: $(call obj,daemon/registrard/main.c) $(BUILD)/libdaemon.a $(BUILD)/libcommon.a
$(BUILD)/registrarctl: $(call obj,daemon/ctl/main.c) $(BUILD)/libdaemon.a $(BUILD)/libcommon.a
$(BUILD)/registrard $(BUILD)/registrarctl:
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(BUILD)/libcommon.a: $(call obj,$(COMMON_SRC))
$(BUILD)/libdaemon.a: $(call obj,$(DAEMON_SRC))
$(BUILD)/libcommon.a $(BUILD)/libdaemon.a:
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(TESTS): $(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(call obj,$(TEST_LIB_SRC)) $(BUILD)/libdaemon.a $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS) -lcmocka

# --- documentation from the option table ---------------------------------------------------------

$(BUILD)/options-doc: $(call obj,tools/options-doc.c) $(BUILD)/libcommon.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

.PHONY: docs
docs: $(BUILD)/options-doc
	$< markdown >docs/OPTIONS.md
	$< man >docs/registrard.yaml.5

# --- what is needed ---------------------------------------------------------------------------

.PHONY: packages-present
packages-present:
	@tools/packages present

# --- tests ------------------------------------------------------------------------------------

.PHONY: unit check-source
unit: $(TESTS)
	@tests/unit/run $(TESTS)

check-source:
	@tools/check-source

.PHONY: clean
clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
