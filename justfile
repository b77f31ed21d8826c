# Every recipe does its own set-up; on a machine without `just`, run them as `./justw RECIPE`.

python := ".venv/bin/python"

_default:
    @just --list --unsorted

# Install and start everything in one process, without Docker; Ctrl-C stops it
up: (_install "requirements-embedded.txt")
    @exec {{ python }} -m services

# Run the tests on real servers, three files at a time; arguments go to pytest, which then runs one at a time
test *arguments: (_install "requirements-dev.txt") _servers
    @{{ python }} -m pytest {{ if arguments == "" { "-n 3 --dist loadfile --no-loadscope-reorder" } else { arguments } }}

# All proofs that nothing is lost, the long ones too (half an hour)
faults *arguments: (_install "requirements-dev.txt") _servers
    @{{ python }} -m pytest tests/faults tests/domain -m "long or not long" {{ arguments }}

# The tests that take minutes each, of everything: those of `faults`, of the browser checks and of their Grid (an hour)
long *arguments: (_install "requirements-dev.txt") _servers
    @{{ python }} -m pytest -m long {{ arguments }}

# Log in to real web applications that others wrote; installs them first, and writes docs/real-sites.md
real-sites *arguments: (_install "requirements-dev.txt") _servers
    #!/usr/bin/env bash
    {{ python }} -m pytest tests/end_to_end/real_sites -m real_sites {{ arguments }}
    tests=$?
    {{ python }} -m tests.end_to_end.real_sites.results && exit $tests

# Format, lint, types, import contracts, architecture, drift between tables and migrations
check: (_install "requirements-dev.txt")
    {{ python }} -m ruff format --check .
    {{ python }} -m ruff check .
    {{ python }} -m mypy
    .venv/bin/lint-imports --no-logo
    {{ python }} -m pytest -q tests/architecture
    {{ python }} -m tests.migrations.drift

# Build the image that all services run from
image:
    docker build --tag parakeet .

# The whole stack in Docker at http://localhost:8000, with reload of changed sources
local: _env
    docker compose up --build --watch

# Format the sources and fix what can be fixed
fmt: (_install "requirements-dev.txt")
    {{ python }} -m ruff format .
    {{ python }} -m ruff check --fix .

# Compile the pinned requirements from pyproject.toml; the smaller ones pin nothing else than the largest
lock: (_install "requirements-dev.txt")
    {{ lock }} --all-extras --output-file requirements-dev.txt
    {{ lock }} --constraint requirements-dev.txt --extra s3 --output-file requirements.txt
    {{ lock }} --constraint requirements-dev.txt --extra embedded --output-file requirements-embedded.txt

lock := ".venv/bin/uv pip compile pyproject.toml --quiet --universal --no-annotate --no-header"

# Make a key for the API in the database of PARAKEET_DATABASE_URL: `just api-key create --name ops --scope write`
api-key *arguments: (_install "requirements.txt")
    @{{ python }} -m services.api.keys {{ arguments }}

# Bring the database of PARAKEET_DATABASE_URL up to date
migrate: (_install "requirements.txt")
    {{ python }} -m alembic upgrade head

# A stamp says which pins are installed, so that this takes no time when nothing has changed. A stamp of larger
# requirements covers the smaller ones, because all are compiled together.
_install requirements:
    #!/usr/bin/env bash
    set -euo pipefail
    [ -x {{ python }} ] || ./justw --version >/dev/null
    stamp=$(cat requirements*.txt | cksum)
    case {{ requirements }} in
        requirements.txt) covering=(requirements.txt requirements-embedded.txt requirements-dev.txt) ;;
        requirements-embedded.txt) covering=(requirements-embedded.txt requirements-dev.txt) ;;
        *) covering=({{ requirements }}) ;;
    esac
    for file in "${covering[@]}"; do
        if [ "$(cat ".venv/$file.stamp" 2>/dev/null)" = "$stamp" ]; then exit 0; fi
    done
    echo "Installing {{ requirements }} ..." >&2
    rm -f .venv/requirements*.stamp
    {{ python }} -m pip install --quiet --disable-pip-version-check -r {{ requirements }}
    echo "$stamp" > ".venv/{{ requirements }}.stamp"

# Browser, RabbitMQ and Selenium Grid for the tests
_servers: (_install "requirements-dev.txt")
    @{{ python }} -m tests.servers.install

# The secrets of the Docker stack, made once
_env:
    #!/usr/bin/env bash
    set -euo pipefail
    if [ -e .env ]; then exit 0; fi
    secret() { head -c 32 /dev/urandom | base64 | tr '+/' '-_'; }
    umask 077
    sed -e "s|^PARAKEET_SECRET_KEYS=.*|PARAKEET_SECRET_KEYS=$(secret)|" \
        -e "s|^POSTGRES_PASSWORD=.*|POSTGRES_PASSWORD=$(secret | tr -d '=')|" \
        -e "s|^RABBITMQ_PASSWORD=.*|RABBITMQ_PASSWORD=$(secret | tr -d '=')|" \
        .env.example > .env.unfinished
    mv .env.unfinished .env
    echo "Made .env with new secrets." >&2
