"""The program starts fast, names its commands, and refuses wrong usage in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

from aurite.cli.main import TABLE
from tests.cli.program import Program

HEAVY = ("rich", "pydantic", "yaml", "asyncio", "mcp", "pydantic_ai", "jsonschema", "prompt_toolkit", "ruamel")


def loaded(program: Program, *arguments: str) -> set[str]:
    """The top modules that a run of the program has imported at its end."""
    code = (
        "import sys, atexit, json\n"
        "atexit.register(lambda: print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules} | {"
        "'.'.join(name.split('.')[:2]) for name in sys.modules})), file=sys.stderr))\n"
        f"sys.argv = ['aurite', *{list(arguments)!r}]\n"
        "from aurite.cli.main import main\n"
        "main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=program.folder,
        env=dict(program.variables),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )
    return set(json.loads(ended.stderr.splitlines()[-1]))


def test_help_lists_every_command_and_imports_none_of_them(aurite: Program) -> None:
    shown = aurite("--help").done().output

    assert all(f"\n  {name} " in shown for name in TABLE)
    modules = loaded(aurite, "--help")
    assert not modules & {*HEAVY, "msgspec", "aurite.settings", "aurite.app", "aurite.model"}


def test_a_piped_listing_from_files_imports_only_what_reads_and_validates_them(project: Program) -> None:
    assert not loaded(project, "list", "agents") & (set(HEAVY) - {"yaml", "pydantic"})


def test_a_piped_listing_from_sqlite_imports_no_library_for_tables_models_files_or_loops(database: Program) -> None:
    assert not loaded(database, "list", "agents") & set(HEAVY)


@pytest.mark.parametrize("name", TABLE)
def test_every_command_explains_itself_with_a_short_and_a_long_option(aurite: Program, name: str) -> None:
    explained = aurite(name, "-h").done().output

    assert explained.startswith(f"Usage: aurite {name} ")
    assert explained == aurite(name, "--help").done().output


def test_the_version_is_that_of_the_package(aurite: Program) -> None:
    assert aurite("--version").done().output == f"aurite {version('aurite')}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("lst",), ("'lst'", "Did you mean 'list'?", "aurite --help")),
        (("list", "agnts"), ("'agnts'", "agents", "workflows")),
        (("list", "--jsn"), ("--jsn", "--json", "aurite list --help")),
        (("show",), ("missing", "name")),
        (("show", "x", "--full", "--short"), ("--full", "exclude")),
        (("delete", "agent"), ("NAME", "aurite delete --help")),
        (("sessions", "list", "--since", "yesterday"), ("'yesterday'", "3d")),
        (("sessions", "list", "--limit", "0"), ("--limit",)),
        (("sessions", "list", "--after", "nonsense"), ("--after", "cursor")),
        (("run", "Weather Agent"), ("message", "- to read it")),
        (("-C", "nowhere", "list"), ("'nowhere'",)),
        (("apply",), ("--file",)),
    ],
)
def test_wrong_usage_is_one_line_and_exit_status_2(project: Program, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    ended = project(*arguments)

    ended.refused(*words, status=2)
    assert len(ended.errors.splitlines()) == 1
    assert ended.output == ""


def test_a_group_without_a_command_shows_its_help_and_is_wrong_usage(aurite: Program) -> None:
    for arguments in ((), ("sessions",), ("db",), ("config",)):
        ended = aurite(*arguments)

        assert (ended.status, ended.output) == (2, "")
        assert "Commands:" in ended.errors


def test_it_can_start_elsewhere(aurite: Program) -> None:
    aurite("init", "-p", "demo").done()

    assert aurite("-C", "demo", "list", "agents").done().output == aurite.inside("demo")("list", "agents").done().output


def test_a_reader_that_goes_away_ends_it_quietly(aurite: Program) -> None:
    ended = aurite.shell("aurite schema agent | head -1")

    assert ended.output == "{\n"
    assert ended.errors == ""


def test_output_onto_a_full_disk_is_a_failure(aurite: Program) -> None:
    ended = aurite.shell("aurite schema agent > /dev/full")

    ended.refused("standard output", "No space left on device")


def test_closed_streams_are_no_failure_and_lend_their_place_to_no_file(database: Program) -> None:
    before = (database.folder / ".aurite_db" / "aurite.db").read_bytes()[:16]

    assert database.shell("aurite list >&- <&-").done().errors == ""
    assert database.shell("aurite list nothing >&- 2>&- <&-").status == 2
    assert (database.folder / ".aurite_db" / "aurite.db").read_bytes()[:16] == before


def test_an_error_that_nobody_foresaw_is_one_line_without_its_text(aurite: Program) -> None:
    code = (
        "import sys\n"
        "import aurite.settings\n"
        "def fail(*_): raise ValueError('password hunter2')\n"
        "aurite.settings.Settings.from_env = fail\n"
        "sys.argv = ['aurite', *sys.argv[1:]]\n"
        "from aurite.cli.main import main\n"
        "main()\n"
    )
    for flags, lines in (([], 1), (["--traceback"], 2)):
        ended = subprocess.run(
            [sys.executable, "-c", code, *flags, "config", "show"],
            cwd=aurite.folder,
            env=dict(aurite.variables),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 1
        assert "Error: Aurite itself failed: ValueError" in ended.stderr
        assert "hunter2" not in ended.stderr
        assert len(ended.stderr.splitlines()) >= lines
        assert ("in from_env" in ended.stderr or " in fail" in ended.stderr) == bool(flags)
