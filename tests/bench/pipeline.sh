#!/bin/bash
# The reference: what a careful engineer would write with inotifywait, jq, sha256sum and cast. For each
# measurements.json moved into FOLDER it checks the stated hash, asks the chain, encodes the batch and leaves a draft.
#   pipeline.sh FOLDER DRAFTS RPC KMS APP TIMELOCK CAST
set -eu
folder=$1 drafts=$2 rpc=$3 kms=$4 app=$5 timelock=$6 cast=$7
zero=0x0000000000000000000000000000000000000000000000000000000000000000

inotifywait -m -q -e moved_to --format '%f' "$folder" | while read -r name; do
	file=$folder/$name
	read -r pcrs claimed < <(jq -r '"\(.PCR0)\(.PCR1)\(.PCR2) \(.os_image_hash)"' "$file")
	# shellcheck disable=SC2001 # one \\x for each pair of digits
	value=0x$(printf '%b' "$(sed 's/../\\x&/g' <<<"$pcrs")" | sha256sum | cut -c1-64)
	[ "$value" = "$claimed" ] || continue
	[ "$("$cast" call --rpc-url "$rpc" "$kms" 'allowedOsImages(bytes32)(bool)' "$value")" = false ] || continue
	os=$("$cast" calldata 'addOsImageHash(bytes32)' "$value")
	compose=$("$cast" calldata 'addComposeHash(bytes32)' "$value")
	data=$("$cast" calldata 'scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)' \
		"[$kms,$app]" '[0,0]' "[$os,$compose]" $zero "$value" 3600)
	jq -n --arg to "$timelock" --arg data "$data" '{version: "1.0", transactions: [{to: $to, value: "0", data: $data}]}' \
		>"$drafts/.$name"
	mv "$drafts/.$name" "$drafts/$name"
done
