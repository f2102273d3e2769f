# The C part of check-source; reads all sources in one run. -v hacking=docs/HACKING.md

BEGIN {
	read_hacking()
	# Header pattern, and where it may stand: a file, or a folder when it ends in "/".
	wrapper["^jansson\\.h"] = "common/base/jval.c"
	wrapper["^openssl/"] = "common/crypto/"
	wrapper["^secp256k1"] = "common/crypto/ecdsa.c"
	wrapper["^cbor(\\.h|/)"] = "common/measure/cbor.c"
	wrapper["^sqlite3"] = "common/store/"
	wrapper["^yaml\\.h"] = "common/config/"
	wrapper["^(event2/|event\\.h|ev[a-z]+\\.h)"] = "daemon/io/"
	wrapper["^curl/"] = "daemon/io/http.c"
	wrapper["^(seccomp\\.h|linux/(seccomp|landlock|filter)\\.h)"] = "daemon/sandbox/"
	wrapper["^systemd/"] = "daemon/registrard/"
	wrapper["^cmocka"] = "tests/"

	ban("time|gettimeofday|clock_gettime|clock|localtime", "time comes from common/base/clock.h")
	ban("rand|random|srand|srandom|rand_r|drand48|getrandom|getentropy", "randomness comes from common/base/random.h")
	ban("strcpy|strcat|stpcpy|sprintf|vsprintf|gets|strncpy|strncat", "it does not know the size of its output")
	ban("strtok|atoi|atol|atoll|atof", "it cannot report an error")
	ban("system|popen", "no shell is ever started")
	ban("mmap|mmap64", "a file that shrinks kills the process (SIGBUS)")
	ban("sleep|usleep|nanosleep", "wait for an event instead")
	ban("alloca", "the stack is no place for variable sizes")
	ban_in("common/", "exit|_exit|quick_exit", "only daemon/ may exit")
}

function ban(calls, why) {
	ban_in("", calls, why)
}

function ban_in(folder, calls, why) {
	bans++
	banned[bans] = "(^|[^A-Za-z0-9_.>])(" calls ")[ \t]*\\("
	banned_why[bans] = why
	banned_in[bans] = folder
}

# "    common: base < crypto < eth" gives each room its rank; "a, b" are neighbours on one floor.
function read_hacking(    line, parts, rooms, i, j, floor, n, m) {
	while ((getline line < hacking) > 0) {
		hacking_lines[++hacking_count] = line
		if (line !~ /^ +(common|daemon): [a-z]+ </)
			continue
		floor = (line ~ /^ +daemon/) ? 100 : 0
		split(line, parts, ":")
		tree = parts[1]
		gsub(/ /, "", tree)
		n = split(parts[2], rooms, "<")
		for (i = 1; i <= n; i++) {
			m = split(rooms[i], parts, ",")
			for (j = 1; j <= m; j++) {
				gsub(/ /, "", parts[j])
				rank[tree "/" parts[j]] = floor + i
			}
		}
	}
}

function say(what) {
	printf "%s:%d: %s\n", FILENAME, FNR, what
}

function room_of(path,    parts) {
	if (path !~ /^(common|daemon)\//)
		return ""
	split(path, parts, "/")
	return parts[1] "/" parts[2]
}

function starts_with(text, prefix) {
	return substr(text, 1, length(prefix)) == prefix
}

FNR == 1 {
	if (NR > 1)
		end_of_file()
	in_comment = 0
	guard_state = 0
	long_reason = 0
	function_start = 0
	depth = 0
	last_file = FILENAME
	room = room_of(FILENAME)
	if (room != "" && !(room in rank))
		say("room " room " is not in the order of " hacking)
}

{
	code = strip($0)
	last_line = FNR
	if ($0 ~ /^#[ \t]*include/)
		check_include()
	else if (code !~ /^#/) {
		check_banned()
		check_state()
		check_parameters()
	}
	if (FILENAME ~ /\.h$/)
		check_guard()
	check_function()
}

END {
	if (NR > 0)
		end_of_file()
}

# The line without comments, and with the inside of strings and characters blanked.
function strip(line,    out, i, c, two, quote) {
	out = ""
	quote = ""
	for (i = 1; i <= length(line); i++) {
		c = substr(line, i, 1)
		two = substr(line, i, 2)
		if (in_comment) {
			if (two == "*/") {
				in_comment = 0
				i++
			}
		} else if (quote != "") {
			if (c == "\\")
				i++
			else if (c == quote) {
				quote = ""
				out = out c
			}
		} else if (two == "/*") {
			in_comment = 1
			i++
		} else if (two == "//") {
			break
		} else {
			if (c == "\"" || c == "'")
				quote = c
			out = out c
		}
	}
	sub(/[ \t]+$/, "", out)
	return out
}

function check_include(    name, other, pattern) {
	name = $0
	sub(/^#[ \t]*include[ \t]*/, "", name)
	if (name ~ /^"/) {
		sub(/^"/, "", name)
		sub(/".*$/, "", name)
		other = room_of(name)
		if (other == "" && name !~ /^tests\//)
			say("\"" name "\": includes are written from the root of the tree")
		else if (other != "" && !(other in rank))
			say("\"" name "\": room " other " is not in the order of " hacking)
		else if (room != "" && name ~ /^tests\//)
			say("\"" name "\": the product includes nothing from tests/")
		else if (room in rank && other != room && rank[other] >= rank[room])
			say("\"" name "\": " room " stands below " other " and may not include it")
		return
	}
	sub(/^</, "", name)
	sub(/>.*$/, "", name)
	for (pattern in wrapper)
		if (name ~ pattern && !starts_with(FILENAME, wrapper[pattern]))
			say("<" name ">: only " wrapper[pattern] " includes it")
}

function check_banned(    i, call) {
	for (i = 1; i <= bans; i++) {
		if (!starts_with(FILENAME, banned_in[i]) || !match(code, banned[i]) || $0 ~ /\/\* allowed: [A-Za-z]/)
			continue
		call = substr(code, RSTART, RLENGTH)
		gsub(/[^A-Za-z0-9_]/, "", call)
		say(call "() is banned: " banned_why[i])
	}
}

# Mutable state: a variable at file scope, or a static one inside a function, that is not const.
function check_state(    text, name, left) {
	if (room == "" || code !~ /[;={]$|=/)
		return
	if (code !~ /^[a-z_]/ && code !~ /^[ \t]+static /)
		return
	if (code ~ /^(typedef|extern|return|goto|else|case|default|_Static_assert)/ || code ~ /^[ \t]*(struct|union|enum) [a-z0-9_]+( \{.*)?;?$/)
		return
	text = code
	sub(/[ \t]*=.*$/, "", text)
	sub(/;.*$/, "", text)
	if (text ~ /\(\*[a-z0-9_]+\)[ \t]*\(/ && text ~ /^[ \t]*static [a-z0-9_ *]+\(\*[a-z0-9_]+\)\(/) {
		name = text
		sub(/^[^(]*\(\*/, "", name)
		sub(/\).*/, "", name)
	} else {
		if (text ~ /\(/ || text !~ /[a-z0-9_]+[] *]+|[a-z0-9_]+$/ || text ~ /^[a-z_]+:?$/)
			return
		if (text ~ /^(static )?(struct|union|enum)[^*]*\{$/) {
			if (text !~ /^static/)
				return
			name = "unnamed " (text ~ /struct/ ? "struct" : text ~ /union/ ? "union" : "enum")
		} else {
			if (text ~ /\{/)
				return
			name = text
			gsub(/\[[^]]*\]/, "", name)
			sub(/[ \t]+$/, "", name)
			left = name
			sub(/^.*[ *]/, "", name)
			left = substr(left, 1, length(left) - length(name))
			sub(/^.*\*/, "", left)
			if (left ~ /const/)
				return
		}
	}
	if (name == "" || listed(name))
		return
	say("mutable state: " name " is not const and not listed with its file in " hacking)
}

function listed(name,    i) {
	for (i = 1; i <= hacking_count; i++)
		if (index(hacking_lines[i], "`" FILENAME "`") && index(hacking_lines[i], "`" name "`"))
			return 1
	return 0
}

# The first directives of a header are its guard: ROOM_FILE_H, or FILE_H when the file is already
# called after its room (store/store_event.h).
function check_guard(    wanted, file, parts, n) {
	if (guard_state == 2 || code !~ /^#/)
		return
	n = split(FILENAME, parts, "/")
	file = toupper(parts[n])
	gsub(/[^A-Z0-9]/, "_", file)
	wanted = toupper(parts[n - 1])
	gsub(/[^A-Z0-9]/, "_", wanted)
	if (!starts_with(file, wanted "_") || file == wanted "_H" || $2 != file)
		wanted = wanted "_" file
	else
		wanted = file
	if (room == "" && $2 ~ file "$")
		wanted = $2
	if (guard_state == 0 && $1 == "#ifndef" && $2 == wanted)
		guard_state = 1
	else if (guard_state == 1 && $1 == "#define" && $2 == wanted)
		guard_state = 2
	else {
		say("expected the include guard " wanted " first")
		guard_state = 2
	}
}

function check_function() {
	if ($0 ~ /\/\* long: [A-Za-z]/)
		long_reason = 1
	if (code ~ /^\{/)
		function_start = FNR
	if (code ~ /^\}/) {
		if (function_start && FNR - function_start > 80 && !long_reason)
			printf "%s:%d: a function of %d lines; at most 80\n", FILENAME, function_start, FNR - function_start
		function_start = 0
		long_reason = 0
	}
}

# What opens a list at the start of a line is a function of this file or the type of one, and not a call.
function check_parameters(    i, c) {
	i = 1
	if (depth == 0) {
		if (code !~ /^[a-z]/ || !match(code, /^[^(=;{]*[a-z0-9_]\(/))
			return
		i = RLENGTH + 1
		depth = parameters = 1
		parameters_at = FNR
	}
	for (; i <= length(code) && depth > 0; i++) {
		c = substr(code, i, 1)
		if (c == "(")
			depth++
		else if (c == ")")
			depth--
		else if (c == "," && depth == 1)
			parameters++
	}
	if (depth == 0 && parameters > 6)
		printf "%s:%d: a function of %d parameters; at most 6\n", FILENAME, parameters_at, parameters
}

function end_of_file(    limit) {
	limit = last_file ~ /\.h$/ ? 150 : 800
	if (last_line > limit)
		printf "%s:%d: %d lines; at most %d\n", last_file, last_line, last_line, limit
	if (last_file ~ /\.h$/ && guard_state != 2)
		printf "%s:1: expected an include guard\n", last_file
}
