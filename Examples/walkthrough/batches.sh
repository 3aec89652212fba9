#!/usr/bin/env bash
# Writes the walk-through's five batches, one for each class, as OpenAI batch lines into the present folder.
set -euo pipefail

# batch CLASS COUNT MAX_TOKENS PROMPT: lines CLASS-101, CLASS-102, …, so that all of a batch are equally long.
batch() {
    local i
    for ((i = 101; i <= 100 + $2; i++)); do
        printf '{"custom_id":"%s-%d","method":"POST","url":"/v1/chat/completions","body":{"model":"demo-small","max_tokens":%d,"messages":[{"role":"user","content":"%s %d."}]}}\n' \
            "$1" "$i" "$3" "$4" "$i"
    done >"$1.jsonl"
}

batch contracts 20 140 "Summarise what the supplier may terminate the agreement for under clause"
batch support 25 140 "Draft a friendly answer to the customer's question in support ticket"
batch nightly 60 100 "Classify as food, clothing, toys or other the product with number"
batch audited 25 140 "List the medicines that are named in the discharge letter of case"
batch alerts 30 140 "Explain to the engineer on call what to look at first for alert"
