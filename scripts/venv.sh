#!/bin/sh
# Makes a virtual environment, or says what this machine lacks for one.
# usage: venv.sh FOLDER [PYTHON]
set -eu
folder=$1
wanted=${2:-}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

first_new_enough() {
    for candidate in "${wanted:-python3}" ${wanted:-python3.14 python3.13 python3.12 python3.11}; do
        if is_new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
}

python=$(first_new_enough)
if [ -z "$python" ]; then
    found=$("${wanted:-python3}" --version 2>&1) || found="no ${wanted:-python3}"
    echo "Aurite needs Python 3.11 or newer; here is: $found." >&2
    echo "Install one, and name it where it is not on the PATH: make demo PYTHON=/path/to/python3.11" >&2
    exit 1
fi

if ! output=$("$python" -m venv "$folder" 2>&1); then
    echo "$output" >&2
    echo "$python could not make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 1
fi
