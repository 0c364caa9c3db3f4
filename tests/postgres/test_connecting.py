"""A connection that cannot be made is told in the guide's words: apart from the others, naming the variable, without a secret."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from aurite.errors import AuriteError, SettingsError, StorageError
from aurite.settings import Secret, Settings
from aurite.storage.components import SqlComponentStore
from aurite.storage.postgres.connections import connect
from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.postgres.errors import translate_connecting
from aurite.storage.postgres.target import target_from_settings
from tests.cli.conftest import aurite as aurite  # noqa: PLC0414 - a fixture, asked for by name
from tests.cli.program import Program
from tests.clusters import Cluster, free_port

PASSWORD = "the s3cret pass"


def ipv6_is_there() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Guarded:
    """A server that asks for passwords over TCP, and lets everyone in on its socket."""

    cluster: Cluster

    def variables(self, **others: str) -> dict[str, str]:
        known = {
            "AURITE_ENABLE_DB": "true",
            "AURITE_DB_TYPE": "postgresql",
            "AURITE_DB_HOST": "127.0.0.1",
            "AURITE_DB_PORT": str(self.cluster.port),
            "AURITE_DB_USER": "alice",
            "AURITE_DB_PASSWORD": PASSWORD,
            "AURITE_DB_NAME": "storage",
            "AURITE_DB_CONNECT_TIMEOUT": "2",
        }
        return {name: value for name, value in {**known, **others}.items() if value}

    def sql(self, statement: str, *identifiers: str, dbname: str = "postgres", **literals: str) -> None:
        composed = sql.SQL(statement).format(
            *map(sql.Identifier, identifiers), **{name: sql.Literal(value) for name, value in literals.items()}
        )
        with self.cluster.connect(dbname) as connection:
            connection.execute(composed)


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    cluster = Cluster(
        hba=[
            "local all all trust",
            "host refused all all reject",
            "host all unwelcome all reject",
            "host all trusted 127.0.0.1/32 trust",
            "host all stranger 127.0.0.1/32 trust",
            "host all all all scram-sha-256",
        ],
        settings={
            "password_encryption": "scram-sha-256",
            "listen_addresses": "127.0.0.1,::1" if ipv6_is_there() else "127.0.0.1",
            "max_connections": "20",
        },
    ).start()
    server = Guarded(cluster)
    server.sql("CREATE ROLE alice LOGIN PASSWORD {password}", password=PASSWORD)
    for role in ("unwelcome", "trusted"):
        server.sql("CREATE ROLE {} LOGIN PASSWORD {password}", role, password=PASSWORD)
    server.sql("CREATE ROLE jailed NOLOGIN PASSWORD {password}", password=PASSWORD)
    server.sql("CREATE DATABASE storage OWNER alice")
    server.sql("CREATE DATABASE refused OWNER alice")
    server.sql("CREATE DATABASE closed OWNER postgres")
    server.sql("REVOKE CONNECT ON DATABASE closed FROM public")
    yield server
    cluster.remove()


@pytest.fixture
def from_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Opens the database that variables name, the way every start does."""

    def database(variables: dict[str, str]) -> PostgresDatabase:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return PostgresDatabase(target_from_settings(Settings.from_env(tmp_path)), watch=False)

    return database


def everything_told(error: AuriteError) -> str:
    return f"{error} {error.next_step} {error!r}"


REFUSALS: dict[str, tuple[dict[str, str], str, str]] = {
    "a closed port": ({"AURITE_DB_PORT": "closed"}, "connection refused by 127.0.0.1", "AURITE_DB_PORT"),
    "a socket folder without a server": ({"AURITE_DB_HOST": "/nowhere"}, "connection refused", "AURITE_DB_HOST"),
    "an unknown host": (
        {"AURITE_DB_HOST": "no-such-host.invalid"},
        "host name 'no-such-host.invalid' is not known",
        "AURITE_DB_HOST",
    ),
    "a wrong password": ({"AURITE_DB_PASSWORD": "wr0ng"}, "authentication failed for user 'alice'", "AURITE_DB_PASSWORD"),
    "no password": ({"AURITE_DB_PASSWORD": ""}, "no password for user 'alice'", "AURITE_DB_PASSWORD"),
    "an unknown user": ({"AURITE_DB_USER": "nobody knows"}, "authentication failed for user 'nobody knows'", "AURITE_DB_USER"),
    "an unknown user who needs no password": ({"AURITE_DB_USER": "stranger"}, "user 'stranger' does not exist", "AURITE_DB_USER"),
    "a user who may not log in": ({"AURITE_DB_USER": "jailed"}, "does not let user 'jailed' in", "AURITE_DB_USER"),
    "a user whom the server rejects": ({"AURITE_DB_USER": "unwelcome"}, "does not let user 'unwelcome' in", "pg_hba.conf"),
    "a database that the server rejects": ({"AURITE_DB_NAME": "refused"}, "does not let user 'alice' in", "pg_hba.conf"),
    "a database that is not there": ({"AURITE_DB_NAME": "nothing"}, "database 'nothing' does not exist", "AURITE_DB_NAME"),
    "a database that the user may not enter": ({"AURITE_DB_NAME": "closed"}, "no permission", "GRANT CONNECT ON DATABASE"),
    "a database named like another failure": (
        {"AURITE_DB_NAME": "password authentication failed"},
        "database 'password authentication failed' does not exist",
        "AURITE_DB_NAME",
    ),
    "encryption that the server lacks": ({"AURITE_DB_SSLMODE": "require"}, "no encrypted connection", "AURITE_DB_SSLMODE"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_each_refusal_is_told_apart_and_names_the_variable(guarded: Guarded, from_variables: Any, refusal: str) -> None:
    changed, words, variable = REFUSALS[refusal]
    if changed.get("AURITE_DB_PORT") == "closed":
        changed = {"AURITE_DB_PORT": str(free_port())}
    started = time.monotonic()
    with pytest.raises(StorageError) as raised:
        from_variables(guarded.variables(**changed))
    assert time.monotonic() - started < 7
    told = everything_told(raised.value)
    assert words in raised.value.message
    assert variable in (raised.value.next_step or "")
    assert PASSWORD not in told
    assert "wr0ng" not in told
    others = [other for name, (_, other, _) in REFUSALS.items() if name != refusal and other != words]
    assert [other for other in others if other in raised.value.message and other not in words and words not in other] == []


def test_the_control_the_same_variables_without_a_mistake_connect(guarded: Guarded, from_variables: Any) -> None:
    database = from_variables(guarded.variables())
    assert database.config_version() == 0
    database.close()


def test_a_server_that_never_answers_is_told_within_the_connect_time_out(guarded: Guarded, from_variables: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(StorageError, match=r"no answer from 127\.0\.0\.1") as raised:
            from_variables(guarded.variables(AURITE_DB_PORT=str(silent.getsockname()[1])))
        assert 1 < time.monotonic() - started < 6
    assert "AURITE_DB_CONNECT_TIMEOUT" in (raised.value.next_step or "")


HARD_TO_PROVOKE = {
    "FATAL:  the database system is starting up": "starting up or shutting down",
    "FATAL:  the database system is shutting down": "starting up or shutting down",
    "FATAL:  the database system is in recovery mode": "starting up or shutting down",
    "FATAL:  the database system is not yet accepting connections": "starting up or shutting down",
    "FATAL:  sorry, too many clients already": "too many connections",
    "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute": "too many connections",
    'root certificate file "/no/such/file" does not exist': "certificate",
    "SSL error: certificate verify failed": "certificate",
    'server certificate for "db" does not match host name "127.0.0.1"': "certificate",
    "No route to host": "no connection to storage",
    "something new": "no connection to storage",
}


@pytest.mark.parametrize("words", HARD_TO_PROVOKE)
def test_what_a_server_says_in_rare_moments_is_told_apart_by_its_words(guarded: Guarded, words: str) -> None:
    target = guarded.cluster.target("storage")
    said = psycopg.OperationalError(f'connection to server at "127.0.0.1", port 5432 failed: {words}')
    assert HARD_TO_PROVOKE[words] in translate_connecting(said, target).message


def test_a_connection_that_was_dropped_without_a_word_is_found_out_within_a_minute(guarded: Guarded) -> None:
    """A firewall that forgets connections cannot be had in a test; what finds such connections out is an option of the socket."""
    for parameters, expected in (({}, (30, 10, 3)), ({"keepalives_idle": "5"}, (5, 10, 3))):
        target = guarded.cluster.target("storage", user="trusted", parameters=parameters)
        with connect(target) as connection, socket.socket(fileno=os.dup(connection.fileno())) as line:
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            assert tuple(line.getsockopt(socket.IPPROTO_TCP, option) for option in options) == expected


# Names and passwords.

AWKWARD = {
    "quotes": 'it\'s "quoted" `so`',
    "backslashes": "\\ \\' \\\\",
    "spaces": "  two  spaces  ",
    "percent": "100%25 %s %(x)s %",
    "of a URL": "p@ss:w/rd?x=y#z&a[b]",
    "conninfo": "x' host='elsewhere",
    "dollar": "$HOME ${HOME} $$ $1",
    "unicode": "пароль 密码 \U0001f511 é",
    "long": "x" * 200,
    "markup": "[red]bold[/red] <b> ;--",
    "one character": "'",
}


@pytest.mark.parametrize("case", AWKWARD)
def test_any_password_user_and_database_name_connects(guarded: Guarded, from_variables: Any, case: str) -> None:
    text = AWKWARD[case]
    name = text[:20]  # identifiers have 63 bytes
    guarded.sql("CREATE ROLE {} LOGIN PASSWORD {password}", name, password=text)
    guarded.sql("CREATE DATABASE {} OWNER {}", name, name)
    variables = guarded.variables(AURITE_DB_USER=name, AURITE_DB_PASSWORD=text, AURITE_DB_NAME=name)
    database = from_variables(variables)
    assert database.read("SELECT current_user::text, current_database()::text") == [(name, name)]
    assert list(SqlComponentStore(database).load().components) == []
    database.close()
    with pytest.raises(StorageError, match="authentication failed") as raised:
        from_variables({**variables, "AURITE_DB_PASSWORD": text + "x"})
    if len(text) > 3 and text != name:
        assert text not in everything_told(raised.value)


@pytest.mark.parametrize("case", AWKWARD)
def test_a_uri_wins_over_the_parts_and_is_never_shown(guarded: Guarded, from_variables: Any, case: str, tmp_path: Path) -> None:
    text = AWKWARD[case]
    role = f"of uri {case}"
    guarded.sql("CREATE ROLE {} LOGIN PASSWORD {password}", role, password=text)
    uri = f"postgresql://{quote(role, safe='')}:{quote(text, safe='')}@127.0.0.1:{guarded.cluster.port}/postgres"
    wrong = {"AURITE_DB_HOST": "no-such-host.invalid", "AURITE_DB_USER": "x", "AURITE_DB_PASSWORD": "y", "AURITE_DB_NAME": "z"}
    guarded.sql("GRANT CREATE ON DATABASE postgres TO {}", role)
    database = from_variables(guarded.variables(**wrong, AURITE_DB_URL=uri, AURITE_DB_SCHEMA=role))
    assert database.read("SELECT current_user::text, current_schema()::text") == [(role, role)]
    database.close()
    settings = Settings.from_env(tmp_path)
    shown = f"{settings!r} {settings.entries!r} {database.target!r} {database.location}"
    assert uri not in shown
    if len(text) > 3:
        assert text not in shown
        assert quote(text, safe="") not in shown


@pytest.mark.parametrize(
    "uri",
    [
        "not a uri with s3cret",
        "postgresql+psycopg2://u:s3cret@h/db",
        "mysql://u:s3cret@h/db",
        "postgresql://u:s3cret%zz@h/db",
        "postgresql://u:s3cret@h:port/db",
        "postgresql://u:s3cret@h/db?connect_timeout=soon",
        "postgresql://u:s3cret@h/db?no_such_parameter=1",
        "postgresql://u:s3cret@[::1/db",
    ],
)
def test_a_uri_that_cannot_be_read_is_refused_without_showing_it(from_variables: Any, uri: str) -> None:
    with pytest.raises(SettingsError, match="AURITE_DB_URL") as raised:
        from_variables({"AURITE_DB_TYPE": "postgresql", "AURITE_DB_URL": uri})
    assert "s3cret" not in everything_told(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_uri_with_several_hosts_finds_the_one_that_answers(guarded: Guarded, from_variables: Any) -> None:
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{guarded.cluster.port}"
    uri = f"postgresql://alice:{quote(PASSWORD)}@{hosts}/storage?target_session_attrs=read-write"
    database = from_variables({"AURITE_DB_TYPE": "postgresql", "AURITE_DB_URL": uri})
    assert database.config_version() == 0
    assert PASSWORD not in database.location
    database.close()


def test_a_password_from_a_file_connects(guarded: Guarded, from_variables: Any, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    database = from_variables(guarded.variables(AURITE_DB_PASSWORD="", AURITE_DB_PASSWORD_FILE=str(tmp_path / "password")))
    assert database.config_version() == 0
    database.close()


@pytest.mark.parametrize("password", ["a\0b", "\udcff bytes that are no text"], ids=["zero", "no text"])
def test_a_password_that_no_server_can_take_is_told_and_not_shown(guarded: Guarded, password: str) -> None:
    with pytest.raises(AuriteError) as raised:
        connect(guarded.cluster.target("storage", user="alice", password=Secret(password)))
    told = everything_told(raised.value)
    assert "AURITE_DB_PASSWORD" in told
    assert "bytes that are" not in told


@pytest.mark.skipif(not ipv6_is_there(), reason="this machine has no IPv6")
def test_an_ipv6_address_connects_and_is_shown_in_brackets(guarded: Guarded, from_variables: Any) -> None:
    database = from_variables(guarded.variables(AURITE_DB_HOST="::1"))
    assert database.location == f"storage on [::1]:{guarded.cluster.port}"
    database.close()


def test_a_socket_folder_connects(guarded: Guarded, from_variables: Any) -> None:
    database = from_variables(guarded.variables(AURITE_DB_HOST=str(guarded.cluster.folder), AURITE_DB_PASSWORD=""))
    assert database.location == f"storage at {guarded.cluster.folder}"
    database.close()


def test_a_host_name_connects(guarded: Guarded, from_variables: Any) -> None:
    database = from_variables(guarded.variables(AURITE_DB_HOST="localhost"))
    assert database.location == f"storage on localhost:{guarded.cluster.port}"
    database.close()


# The program itself.


@pytest.mark.parametrize("refusal", ["a closed port", "a wrong password", "a database that is not there", "an unknown host"])
def test_the_program_tells_it_in_one_line(guarded: Guarded, aurite: Program, refusal: str) -> None:
    changed, words, variable = REFUSALS[refusal]
    if changed.get("AURITE_DB_PORT") == "closed":
        changed = {"AURITE_DB_PORT": str(free_port())}
    program = aurite.with_variables(**guarded.variables(**changed))
    for command in (["db", "status"], ["list", "agents"]):
        ended = program(*command)
        ended.refused(words)
        assert variable in ended.errors
        assert PASSWORD not in ended.errors + ended.output
        assert "wr0ng" not in ended.errors + ended.output


def test_the_program_shows_where_the_database_is_and_no_secret(guarded: Guarded, aurite: Program) -> None:
    program = aurite.with_variables(**guarded.variables())
    facts = program("db", "status", "--json").done().json()
    assert facts["location"] == f"storage on 127.0.0.1:{guarded.cluster.port}"
    assert (facts["engine"], facts["user"], facts["schema"]) == ("postgresql", "alice", "public")
    for command in (["config", "show"], ["db", "status"]):
        ended = program(*command).done()
        assert PASSWORD not in ended.output + ended.errors
