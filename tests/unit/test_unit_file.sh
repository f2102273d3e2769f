#!/bin/sh
# systemd/registrard.service: systemd itself finds nothing wrong with it, and little to attack.
set -u

name=unit_file
echo "[ RUN      ] $name"
command -v systemd-analyze >/dev/null || {
	echo "[  SKIPPED ] $name: no systemd-analyze here"
	exit 0
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Not installed here: the program's path and the manual pages are the only things changed.
sed 's|^ExecStart=[^ ]*|ExecStart=/bin/true|; /^Documentation=/d' systemd/registrard.service >"$folder/registrard.service"
complaints=$(systemd-analyze verify "$folder/registrard.service" 2>&1 | grep registrard.service)
exposure=$(systemd-analyze security --offline=yes "$folder/registrard.service" 2>/dev/null |
	sed -n 's/.*exposure level for registrard.service: \([0-9.]*\).*/\1/p')
case $exposure in
'' | 0.* | 1.*) ;;
*) complaints="$complaints
exposure level $exposure; expected below 2" ;;
esac
if [ -n "$complaints" ]; then
	echo "$complaints"
	echo "[  FAILED  ] $name"
	exit 1
fi
echo "[       OK ] $name"
