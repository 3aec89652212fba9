#!/usr/bin/env bash
# Builds offpeak and runs a batch of 400 prompts through two rehearsed keys with tight limits: one of them is revoked on
# the way, and the run is killed with kill -9 and started again. No key, no network.
set -euo pipefail
cd "$(dirname "$0")/.."
. Examples/setup/tools.sh

build_offpeak
examples="$PWD/Examples"

folder="$(mktemp -d)"
cd "$folder"
trap 'kill "${provider:-}" 2>/dev/null; rm -rf "$folder"' EXIT
rehearse_example "$examples/quickstart"

# 400 tickets to classify, made from a few sentences.
subjects=("The invoice shows the wrong amount" "The app closes when I open a photo" "How do I change my address"
    "The parcel has not arrived" "Please cancel my subscription" "The password link does not work")
for i in $(seq 1 400); do
    printf '{"custom_id":"ticket-%d","prompt":"Classify this support ticket as billing, technical, delivery or account. Ticket %d: %s."}\n' \
        "$i" "$i" "${subjects[$((i % 6))]}"
done >tickets.jsonl

echo "== submit"
"$offpeak" submit tickets.jsonl --class nightly --model demo-small
echo "== run, killed with kill -9 while answers are coming in"
"$offpeak" --quiet run &
run=$!
until "$offpeak" status b1 --json | grep -q '"in_flight":[1-9][0-9]*,"succeeded":[1-9]'; do sleep 0.1; done
kill -9 "$run"
wait "$run" 2>/dev/null || true
"$offpeak" status
echo "== run again: it goes on where it was"
"$offpeak" run
echo "== what became of it"
"$offpeak" status
"$offpeak" keys
"$offpeak" results b1 -o answers.jsonl
echo "one of $(wc -l <answers.jsonl) lines:"
head -n 1 answers.jsonl | cut -c1-180
echo "== done"
