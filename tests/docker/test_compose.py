"""The Compose files are valid, do what the guide's do, and fit the image."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from aurite.variables import VARIABLES
from tests.docker.test_image import ROOT, names_of, said

FILES = ("docker-compose.yml", "docker-compose.postgres.yml")

GUIDE = {
    "docker-compose.yml": """
services:
  aurite:
    image: aurite:latest
    environment:
      - AURITE_ENABLE_DB=true
      - AURITE_DB_TYPE=sqlite
      - AURITE_DB_PATH=/data/aurite.db
    volumes:
      - ./data:/data # Persist SQLite database
""",
    "docker-compose.postgres.yml": """
services:
  aurite:
    image: aurite:latest
    environment:
      - AURITE_ENABLE_DB=true
      - AURITE_DB_TYPE=postgresql
      - AURITE_DB_HOST=postgres
      - AURITE_DB_PORT=5432
      - AURITE_DB_USER=postgres_user
      - AURITE_DB_PASSWORD=postgres_password
      - AURITE_DB_NAME=aurite_storage
    depends_on:
      - postgres

  postgres:
    image: postgres:15
    environment:
      - POSTGRES_USER=postgres_user
      - POSTGRES_PASSWORD=postgres_password
      - POSTGRES_DB=aurite_storage
    volumes:
      - postgres_data:/var/lib/postgresql/data

volumes:
  postgres_data:
""",
}
"""The database integration guide's files, word for word."""


def compose(name: str, **environment: str) -> Any:
    """A file as Compose reads it: variables of the shell or of ``.env`` filled in."""

    def value(match: re.Match[str]) -> str:
        return environment.get(match["name"]) or match["default"]

    text = (ROOT / name).read_text(encoding="utf-8")
    return yaml.safe_load(re.sub(r"\$\{(?P<name>\w+):-(?P<default>[^}]*)\}", value, text))


def missing(wanted: Any, found: Any, where: str = "") -> list[str]:
    """What the guide says and the file does not; a list may be a mapping in the long form."""
    if isinstance(wanted, dict):
        return [
            line
            for key, inner in wanted.items()
            for line in (missing(inner, found[key], f"{where}/{key}") if key in found else [f"{where}/{key}"])
        ]
    if isinstance(wanted, list):
        return [f"{where}: {item}" for item in wanted if item not in found]
    return [] if wanted == found else [f"{where}: {wanted}"]


@pytest.mark.parametrize("name", FILES)
def test_it_fits_the_schema_of_the_compose_specification(name: str) -> None:
    program = Path(sys.executable).parent / "check-jsonschema"
    command = [str(program), "--builtin-schema", "vendor.compose-spec", str(ROOT / name)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("name", FILES)
def test_it_has_every_line_of_the_guide(name: str) -> None:
    assert missing(yaml.safe_load(GUIDE[name]), compose(name)) == []


def test_a_line_of_the_guide_that_is_missing_is_noticed() -> None:
    wanted = yaml.safe_load(GUIDE["docker-compose.postgres.yml"])
    found = compose("docker-compose.postgres.yml", AURITE_DB_PASSWORD="other")
    assert missing(wanted, found) == [
        "/services/aurite/environment: AURITE_DB_PASSWORD=postgres_password",
        "/services/postgres/environment: POSTGRES_PASSWORD=postgres_password",
    ]
    assert missing(wanted, compose("docker-compose.yml")) != []


@pytest.mark.parametrize("name", FILES)
def test_the_service_fits_the_image(name: str) -> None:
    service = compose(name)["services"]["aurite"]
    healthcheck = service["healthcheck"]
    (check,) = said("HEALTHCHECK")
    assert healthcheck["test"] == ["CMD", *json.loads(check.partition("CMD ")[2])]
    for option, value in re.findall(r"--([a-z-]+)=(\w+)", check.partition("CMD ")[0]):
        assert str(healthcheck[option.replace("-", "_")]) == value
    port = next(variable.default for variable in VARIABLES if variable.name == "PORT")
    assert service["ports"] == [f"{port}:{port}"]


@pytest.mark.parametrize("name", FILES)
def test_runs_have_their_grace_when_it_is_stopped(name: str) -> None:
    grace = next(variable.default or "" for variable in VARIABLES if variable.name == "AURITE_API_GRACE")
    assert int(compose(name)["services"]["aurite"]["stop_grace_period"].rstrip("s")) > int(grace)


@pytest.mark.parametrize("name", FILES)
def test_every_variable_that_it_takes_from_outside_is_in_the_example_of_a_dot_env(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    passed = re.findall(r"^      - ([A-Z_]+)$", text, re.MULTILINE) + re.findall(r"\$\{(\w+):-", text)
    assert passed
    assert set(passed) <= set(names_of((ROOT / ".env.example").read_text(encoding="utf-8")))


def test_the_service_waits_for_a_database_that_is_there_for_good() -> None:
    """While the image of PostgreSQL makes the first database, its server answers on its socket alone."""
    services = compose("docker-compose.postgres.yml")["services"]
    assert services["aurite"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert services["postgres"]["healthcheck"]["test"][:4] == ["CMD", "pg_isready", "-h", "127.0.0.1"]


def test_the_page_about_docker_shows_the_file_as_it_is() -> None:
    text = (ROOT / "docs" / "how-to" / "deploy-with-docker.md").read_text(encoding="utf-8")
    shown = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0])
    assert missing(shown, compose("docker-compose.yml")) == []
