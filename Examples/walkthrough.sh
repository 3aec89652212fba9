#!/usr/bin/env bash
# Builds offpeak and runs five batches, one for each posture, through six rehearsed keys, one for each way of paying. On the
# way a credit runs out, a budget is reached, a key is revoked, another hits its day quota, a provider goes down for a while,
# and a platform's fee-free allowance is passed; then it shows what became of the work and of the money. No key, no network.
#
# bash Examples/walkthrough.sh [FOLDER]: with a folder, a new one, the queue and everything else is left there to look at.
set -euo pipefail
if [ $# -gt 0 ]; then
    mkdir -p "$1"
    kept="$(cd "$1" && pwd)"
    [ -z "$(ls -A "$kept")" ] || { echo "$kept is not empty: name a new folder" >&2; exit 1; }
fi
cd "$(dirname "$0")/.."
. Examples/setup/tools.sh

build_offpeak
files="$PWD/Examples/walkthrough"

folder="${kept:-$(mktemp -d)}"
cd "$folder"
trap 'kill "${provider:-}" 2>/dev/null; [ -n "${kept:-}" ] || rm -rf "$folder"' EXIT
rehearse_example "$files"
cp "$files/prices.json" .
(umask 077 && echo "test-team-a" >team-a.secret)
bash "$files/batches.sh"

# What the provider itself counted: the document that its ledger gives.
provider_ledger() {
    local host
    host="$(cut -d/ -f3 address)"
    exec 3<>"/dev/tcp/${host%:*}/${host#*:}"
    printf 'GET /_rehearse/ledger HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n\r\n' "$host" >&3
    tail -n 1 <&3 && echo
    exec 3>&-
}
story() { printf '\n== %s\n' "$*"; }
show() {
    echo "\$ offpeak $*"
    "$offpeak" "$@"
}
# One key's part of `offpeak keys`.
show_key() {
    echo "\$ offpeak keys   (key $1)"
    "$offpeak" keys | awk -v key="$1" '/^[^ ]/ { shown = $1 == key } shown'
}
# The first line of a batch's results with receipts that matches an extended regular expression: its custom_id.
job() { "$offpeak" --quiet results "$1" --receipts --partial | grep -m 1 -E "$2" | cut -d'"' -f8; }

story "Five batches, one for each class. What a class may do is said before anything is sent."
for class in contracts support nightly audited alerts; do "$offpeak" submit "$class.jsonl" --class "$class" >ids; done
echo '$ offpeak check   (class contracts)'
"$offpeak" check 2>/dev/null | grep "^class contracts:"

story "One run. It ends with status 3: all is done that can be done without a person."
status=0
show run || status=$?
[ "$status" -eq 3 ]

story "1. The credit runs out. Paid-for throughput was used first, then the credit, and only then money."
show_key reserved
show_key starter
show explain b3 "$(job b3 '"provider_usd":"0\.0[0-9]*[1-9][0-9]*","platform_usd":"0\.00","credit_usd":"0\.0[0-9]*[1-9]')"

story "2. The budget is reached. What does not fit is parked; not a cent more is spent."
show status b3
show explain b3 nightly-160

story "3. A key is revoked after 12 answers. A strict class waits for a person, and uses no other key."
show status b1
show explain b1 contracts-120

story "4. A key hits its quota of 15 requests a day. Ten support jobs go to the platform's capacity: another bill."
show_key team-b
show explain b2 "$(job b2 '"key":"shared"')"

story "5. A provider goes down. A resilient class goes on through shared capacity; the governance class waits until it is back."
show explain b5 "$(job b5 '"key":"shared".*"attempts":2')"
show explain b4 "$(job b4 '"key":"router".*"attempts":[2-9]')"

story "6. The platform's fee-free allowance is passed. From there on it takes 5 % of the list price."
show_key router
show explain b4 audited-125

story "A person puts a new secret in the key's place; the parked contracts go on."
(umask 077 && echo "test-team-a-2" >team-a.secret)
show retry b1 --parked
show run --class contracts

story "What it cost, on which bill, and what a person should know of it."
show report --by bill

story "The provider's own account of tokens is the ledger's, to the last token."
provider_ledger >ledger.json
grep -oE '"[a-z0-9-]+":\{"requests"[^}]*"input_tokens":[0-9]+,"output_tokens":[0-9]+' ledger.json |
    sed -E 's/"([a-z-]+)(-2)?":.*"input_tokens":([0-9]+),"output_tokens":([0-9]+)/\1 \3 \4/' |
    awk '{ input[$1] += $2; output[$1] += $3 } END { for (key in input) print key, input[key], output[key] }' |
    grep -v '^team ' | sort >provider.tokens
"$offpeak" --quiet report --by key --csv | tail -n +2 | grep -v '^total,' | cut -d, -f1,4,6 | tr , ' ' | sort >ledger.tokens
diff provider.tokens ledger.tokens
awk '{ printf "%-10s %5d input tokens, %5d output tokens\n", $1, $2, $3 }' provider.tokens
echo "== done"
