#!/bin/sh
# The whole idea on real parts, without a key or a network: component files become rows of a SQLite database, an agent runs from
# those rows and calls a tool of a real MCP server, and its session is found again.
# usage: demo.sh FOLDER    (needs `aurite` on the PATH; makes FOLDER/demo_project anew)
set -eu
folder=$1

# What somebody has set for projects of their own must not decide what happens here.
for name in $(env | sed -n 's/^\(AURITE_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done

show() {
    printf '\n$ %s' "$1"
    shift
    for word in "$@"; do
        case $word in
        '>>') printf ' >>' ;;
        *[!A-Za-z0-9_./=-]*) printf ' "%s"' "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
}

run() {
    show "$@"
    "$@"
}

mkdir -p "$folder"
cd "$folder"
rm -rf demo_project

run aurite init -p demo_project
show cd demo_project
cd demo_project
show echo AURITE_ENABLE_DB=true '>>' .env
echo AURITE_ENABLE_DB=true >>.env
run aurite export
run aurite list
run aurite run "Weather Agent" "What is the weather in London?" --session-id london
run aurite sessions list
run aurite sessions show london
run aurite db status

printf '\nAll of this lies in %s: look around, change its files, run the commands yourself.\n' "$(pwd)"
