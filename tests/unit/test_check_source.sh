#!/bin/sh
# tools/check-source against small trees: each holds one fault, and the fault must be named.
set -u

tool=$PWD/tools/check-source
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

fresh() {
	rm -rf "$tree"
	mkdir -p "$tree/docs" "$tree/common/base" "$tree/common/eth" "$tree/common/store" "$tree/daemon/io" "$tree/tests/unit"
	cat >"$tree/docs/HACKING.md" <<-'END'
		Rooms from the ground up:

		    common: base < eth < store
		    daemon: io < registrard, ctl

		- `common/base/log.c`: `lowest`, the logger's level.
	END
	cat >"$tree/common/base/log.c" <<-'END'
		#include "common/base/log.h"

		#include <time.h>

		static int lowest = 1;
		static const char *const names[] = {"time(", "a /* b"}; /* gets( in a comment is fine */

		int log_level(void)
		{
			clock_gettime(0, 0); /* allowed: the one place that reads the clock */
			return lowest + (names[0] != 0);
		}
	END
	printf '#ifndef BASE_LOG_H\n#define BASE_LOG_H\nint log_level(void);\n#endif\n' >"$tree/common/base/log.h"
	printf 'const char *const names[] = {\n\t[ALARM_STUCK] = "stuck",\n};\n' >"$tree/common/store/alarm.c"
	printf 'int f(void)\n{\n\treturn g(ALARM_STUCK);\n}\n' >"$tree/daemon/io/alarmed.c"
	printf '# Runbook\n\n### stuck\n\nPush.\n' >"$tree/docs/RUNBOOK.md"
}

# expect NAME WANTED FILE TEXT: TEXT (with \n and \t) is FILE of an otherwise good tree; WANTED is the
# one line of the output, or "" when nothing may be found.
expect() {
	name=$1 wanted=$2
	fresh
	mkdir -p "$tree/$(dirname "$3")"
	printf '%b\n' "$4" >"$tree/$3"
	echo "[ RUN      ] $name"
	found=$("$tool" "$tree" 2>&1)
	status=$?
	if [ -z "$wanted" ] && [ $status -eq 0 ]; then
		echo "[       OK ] $name"
	elif [ -n "$wanted" ] && [ $status -ne 0 ] && printf '%s\n' "$found" | grep -qxF -e "$wanted" &&
		printf '%s\n' "$found" | grep -q ' 1 findings$'; then
		echo "[       OK ] $name"
	else
		printf 'expected: %s\nfound (exit %s):\n%s\n' "$wanted" "$status" "$found"
		echo "[  FAILED  ] $name"
		failures=$((failures + 1))
	fi
}

# repeat N TEXT: TEXT so many times, for `printf %b`.
repeat() {
	i=0
	while [ $i -lt "$1" ]; do
		printf '%s\\n' "$2"
		i=$((i + 1))
	done
}

abi=common/eth/abi.c
loop=daemon/io/loop.c

expect good_tree '' $abi "$(cat <<'END'
#include "common/base/log.h"

static int visit_all(int (*visit)(int key, void *arg), void *arg);
struct pair {
	int left, right;
};
static const struct {
	int n;
} table[] = {{1}};
extern int elsewhere;
int abi_time(struct pair *p);
enum { SIZE = 4 };

int abi_time(struct pair *p)
{
	struct pair copy = *p;
	static const char digits[] = "01";
	return copy.left + digits[0] + p->time(p) + sizeof(struct pair);
}
END
)"

# layers
expect arrow_up "common/base/x.c:1: \"common/eth/abi.h\": common/base stands below common/eth and may not include it" \
	common/base/x.c '#include "common/eth/abi.h"'
expect common_includes_daemon "$abi:1: \"daemon/io/loop.h\": common/eth stands below daemon/io and may not include it" \
	$abi '#include "daemon/io/loop.h"'
expect neighbours "daemon/ctl/main.c:1: \"daemon/registrard/x.h\": daemon/ctl stands below daemon/registrard and may not include it" \
	daemon/ctl/main.c '#include "daemon/registrard/x.h"'
expect unknown_room 'common/attic/x.c:1: room common/attic is not in the order of docs/HACKING.md' common/attic/x.c ''
expect unknown_room_included "$abi:1: \"common/attic/x.h\": room common/attic is not in the order of docs/HACKING.md" \
	$abi '#include "common/attic/x.h"'
expect relative_include "$abi:1: \"abi.h\": includes are written from the root of the tree" $abi '#include "abi.h"'
expect product_includes_tests "$abi:1: \"tests/unit/x.h\": the product includes nothing from tests/" \
	$abi '#include "tests/unit/x.h"'

# third-party headers
expect jansson "$abi:1: <jansson.h>: only common/base/jval.c includes it" $abi '#include <jansson.h>'
expect openssl "$loop:1: <openssl/evp.h>: only common/crypto/ includes it" $loop '#include <openssl/evp.h>'
expect secp256k1 "$abi:1: <secp256k1_recovery.h>: only common/crypto/ecdsa.c includes it" \
	$abi '#include <secp256k1_recovery.h>'
expect sqlite "$abi:1: <sqlite3.h>: only common/store/ includes it" $abi '#include <sqlite3.h>'
expect yaml "$abi:1: <yaml.h>: only common/config/ includes it" $abi '#include <yaml.h>'
expect libevent "$abi:1: <event2/event.h>: only daemon/io/ includes it" $abi '#include <event2/event.h>'
expect libevent_at_home '' $loop '#include <event2/event.h>'
expect curl "$loop:1: <curl/curl.h>: only daemon/io/http.c includes it" $loop '#include <curl/curl.h>'
expect seccomp "$loop:1: <seccomp.h>: only daemon/sandbox/ includes it" $loop '#include <seccomp.h>'
expect systemd "$loop:1: <systemd/sd-daemon.h>: only daemon/registrard/ includes it" $loop '#include <systemd/sd-daemon.h>'
expect cmocka "$loop:1: <cmocka.h>: only tests/ includes it" $loop '#include <cmocka.h>'

# guards
expect no_guard 'common/eth/abi.h:1: expected an include guard' common/eth/abi.h 'int abi_x(void);'
expect wrong_guard 'common/eth/abi.h:1: expected the include guard ETH_ABI_H first' common/eth/abi.h \
	'#ifndef ABI_H\n#define ABI_H\n#endif'
expect half_guard 'common/eth/abi.h:2: expected the include guard ETH_ABI_H first' common/eth/abi.h \
	'#ifndef ETH_ABI_H\n#define ETH_ABI\n#endif'

# banned calls
for call in time gettimeofday clock_gettime; do
	expect "banned_$call" "$abi:3: $call() is banned: time comes from common/base/clock.h" $abi "int f(void)\n{\n\treturn $call(0);\n}"
done
for call in rand random srand; do
	expect "banned_$call" "$abi:1: $call() is banned: randomness comes from common/base/random.h" $abi "int f(void) { return $call(1); }"
done
for call in strcpy strcat sprintf gets; do
	expect "banned_$call" "$abi:1: $call() is banned: it does not know the size of its output" $abi "void f(char *x) { $call(x, x); }"
done
for call in strtok atoi; do
	expect "banned_$call" "$abi:1: $call() is banned: it cannot report an error" $abi "void f(char *x) { (void)$call (x); }"
done
for call in system popen; do
	expect "banned_$call" "$abi:1: $call() is banned: no shell is ever started" $abi "void f(char *x) { (void)$call(x); }"
done
expect banned_mmap "$abi:1: mmap() is banned: a file that shrinks kills the process (SIGBUS)" $abi 'void *p(void) { return mmap(0); }'
for call in sleep usleep; do
	expect "banned_${call}_in_tests" "tests/unit/test_x.c:1: $call() is banned: wait for an event instead" tests/unit/test_x.c \
		"void f(void) { $call(1); }"
done
expect banned_exit_in_common "$abi:1: exit() is banned: only daemon/ may exit" $abi 'void f(void) { exit(1); }'
expect exit_in_daemon '' $loop 'void f(void) { exit(1); }'
expect allowed_with_reason '' $abi 'void f(void) { exit(1); } /* allowed: a reason */'
expect allowed_without_reason "$abi:1: exit() is banned: only daemon/ may exit" $abi 'void f(void) { exit(1); } /* allowed: */'
expect in_comment_and_string '' $abi '/* time( and\n * system( */\nconst char *const text = "gets(\\"rand(";'

# sizes
expect long_c "$abi:801: 801 lines; at most 800" $abi "$(repeat 800 '/* line */')/* last */"
expect long_h "common/eth/abi.h:151: 151 lines; at most 150" common/eth/abi.h \
	"#ifndef ETH_ABI_H\n#define ETH_ABI_H\n$(repeat 148 '/* line */')#endif"
expect long_function "$abi:2: a function of 82 lines; at most 80" $abi "int f(void)\n{\n$(repeat 81 '	f();')}"
expect long_with_reason '' $abi "/* long: a table in disguise */\nint f(void)\n{\n$(repeat 81 '	f();')}"
expect six_parameters '' $abi 'int f(int a, int b, int c, int (*visit)(int x, int y), int e,\n      int g)\n{\n\treturn h(1, 2, 3, 4, 5, 6, 7);\n}'
expect seven_parameters "$abi:2: a function of 7 parameters; at most 6" $abi \
	'\nstatic int f(int a, int b, int c, int d, /* one, two */ int e,\n             int g, int h)\n{\n}'
expect seven_declared "common/eth/abi.h:3: a function of 7 parameters; at most 6" common/eth/abi.h \
	'#ifndef ETH_ABI_H\n#define ETH_ABI_H\ntypedef void f(int a, int b, int c, int d, int e, int g, int h);\n#endif'
expect reason_is_for_one "$abi:6: a function of 82 lines; at most 80" $abi \
	"/* long: one only */\nint g(void)\n{\n}\nint f(void)\n{\n$(repeat 81 '	f();')}"

# hidden state
unlisted='is not const and not listed with its file in docs/HACKING.md'
expect static_variable "$abi:1: mutable state: counter $unlisted" $abi 'static unsigned long counter;'
expect static_array "$abi:1: mutable state: cache $unlisted" $abi 'static int cache[4] = {1};'
expect static_pointer "$abi:1: mutable state: name $unlisted" $abi 'static const char *name = 0;'
expect static_struct "$abi:1: mutable state: state $unlisted" $abi 'static struct arena state;'
expect unnamed_struct "$abi:1: mutable state: unnamed struct $unlisted" $abi 'static struct {\n\tint n;\n} state;'
expect extern_variable "$abi:1: mutable state: counter $unlisted" $abi 'int counter;'
expect function_pointer "$abi:1: mutable state: hook $unlisted" $abi 'static int (*hook)(int key);'
expect static_in_function "$abi:3: mutable state: done $unlisted" $abi 'int f(void)\n{\n\tstatic int done = 0;\n\treturn done;\n}'

# white space and leftovers
expect trailing_space "$abi:1: white space at the end of the line" $abi 'int f(void); '
expect space_before_tab "$abi:2: a space before a tab" $abi 'int f(int a,\n \tint b);'
expect leftover "$abi:1: unfinished: \"TO""DO\" is left in the tree" $abi "/* TO""DO: later */"
expect leftover_in_docs "docs/NOTES.md:1: unfinished: \"FIX""ME\" is left in the tree" docs/NOTES.md "FIX""ME"

# alarms
expect alarm_without_entry 'docs/RUNBOOK.md: no entry "### stuck" for an alarm of common/store/alarm.c' docs/RUNBOOK.md '# Runbook'
expect entry_without_alarm 'docs/RUNBOOK.md:3: "lost" is no alarm of common/store/alarm.c' docs/RUNBOOK.md '### stuck\n\n### lost'
expect alarm_never_raised 'common/store/alarm.c:2: nothing raises ALARM_STUCK' daemon/io/alarmed.c 'int f(void);'

expect unnamed_alarm "$loop:1: an alarm without a name: raise it by store_alarm or lane_alarm" $loop \
	'void f(void) { store_event_add(s, "alarm", "p1", "text"); }'

[ $failures -eq 0 ]
