#!/bin/sh
# docs/LIFECYCLE.md says what the table of transitions says.
name=lifecycle_doc_is_current
echo "[ RUN      ] $name"
if "${BUILD:-build}/lifecycle-doc" | diff docs/LIFECYCLE.md -; then
	echo "[       OK ] $name"
else
	echo "run \"make docs\""
	echo "[  FAILED  ] $name"
	exit 1
fi
