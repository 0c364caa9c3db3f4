"""Settings: where each value comes from, what is refused, and that no secret shows."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aurite import dotenv
from aurite.errors import SettingsError
from aurite.settings import MASK, Secret, Setting, Settings, find_anchor, variables

PASSWORD = "tr0ub4dor-&-3"  # long enough that a part of it is recognised anywhere


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".aurite").write_text('[aurite]\ntype = "project"\ninclude_configs = ["config"]\n')
    return folder


@pytest.fixture
def env_file(project: Path) -> Callable[[str | bytes], Settings]:
    """Writes the project's ``.env`` and reads the settings."""

    def write(content: str | bytes) -> Settings:
        (project / ".env").write_bytes(content.encode() if isinstance(content, str) else content)
        return Settings.from_env(project)

    return write


def entry(read: Settings, name: str) -> Setting:
    return next(entry for entry in read.entries if entry.name == name)


def test_the_guides_defaults_hold_where_nothing_is_set(project: Path) -> None:
    read = Settings.from_env(project)

    assert (read.enable_db, read.db_type, read.force_refresh) == (False, "sqlite", False)
    assert read.db_path == project / ".aurite_db" / "aurite.db"
    assert (read.db_host, read.db_port, read.db_name) == ("localhost", 5432, "aurite_storage")
    assert (read.db_user, read.db_password, read.api_key, read.port) == (None, None, None, 8000)
    assert (read.db_synchronous, read.log_level, read.auto_export, read.no_color) == ("FULL", "INFO", True, False)
    assert read.warnings == ()


def test_every_attribute_of_the_table_is_a_setting_and_every_default_can_be_read(project: Path) -> None:
    read = Settings.from_env(project)

    assert [entry.name for entry in read.entries] == [variable.name for variable in variables()]
    assert all(hasattr(read, variable.attribute) for variable in variables())
    assert {entry.source for entry in read.entries} == {"default", "not set"}


def test_the_environment_wins_over_the_env_file_and_each_value_says_where_it_comes_from(
    env_file: Callable[[str], Settings], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURITE_DB_HOST", "db.example")
    read = env_file("# comment\nAURITE_DB_HOST=other.example\nAURITE_DB_PORT=6000\n")

    assert (read.db_host, entry(read, "AURITE_DB_HOST").source) == ("db.example", "environment")
    assert (read.db_port, entry(read, "AURITE_DB_PORT").source) == (6000, f"{project}/.env:3")
    assert (read.db_name, entry(read, "AURITE_DB_NAME").source) == ("aurite_storage", "default")
    assert entry(read, "AURITE_DB_USER") == Setting("AURITE_DB_USER", None, "not set", entry(read, "AURITE_DB_USER").variable)


def test_a_variable_set_to_nothing_is_not_set(env_file: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURITE_DB_TYPE", "")
    monkeypatch.setenv("AURITE_DB_HOST", "")
    read = env_file("AURITE_DB_HOST=db.example\nAURITE_DB_PORT=\nAURITE_ENABLE_DB=''\n")

    assert (read.db_type, read.db_host, read.db_port, read.enable_db) == ("sqlite", "db.example", 5432, False)
    assert entry(read, "AURITE_DB_PORT").source == "default"
    assert read.environment["AURITE_DB_HOST"] == "db.example"


@pytest.mark.parametrize("text", ["true", "True", "1", "YES", "on", " true "])
def test_people_write_true_in_several_ways(text: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURITE_ENABLE_DB", text)
    assert Settings.from_env(project).enable_db is True


@pytest.mark.parametrize("text", ["false", "FALSE", "0", "no", "Off"])
def test_people_write_false_in_several_ways(text: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURITE_AUTO_EXPORT", text)
    assert Settings.from_env(project).auto_export is False


@pytest.mark.parametrize(("text", "kind"), [("SQLite", "sqlite"), ("postgres", "postgresql"), ("PostgreSQL", "postgresql")])
def test_the_database_type_is_read_whatever_its_case(text: str, kind: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURITE_DB_TYPE", text)
    assert Settings.from_env(project).db_type == kind


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("AURITE_ENABLE_DB", "maybe", "true, false, 1, 0, yes, no, on, off"),
        ("AURITE_DB_TYPE", "mysql", "sqlite, postgresql, postgres"),
        ("AURITE_DB_SYNCHRONOUS", "2", "full, normal, extra, off"),
        ("AURITE_DB_PORT", "abc", "a whole number from 1 to 65535"),
        ("AURITE_DB_PORT", "0", "a whole number from 1 to 65535"),
        ("AURITE_DB_PORT", "5_432", "a whole number"),
        ("AURITE_DB_PORT", "٥٤٣٢", "a whole number"),
        ("AURITE_DB_POOL_TIMEOUT", "nan", "a number of seconds from 0 to 3600"),
        ("AURITE_DB_STATEMENT_TIMEOUT", "-1", "a number of seconds"),
        ("AURITE_DB_SSLMODE", "yes", "verify-full"),
        ("LOG_LEVEL", "loud", "debug, info, warning"),
        ("PORT", "70000", "a whole number from 0 to 65535"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name_with_what_is_allowed(
    name: str, text: str, allowed: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(project)
    assert f"{name} (environment) is {text!r}; allowed: " in caught.value.message
    assert allowed in caught.value.message
    assert name in (caught.value.next_step or "")


def test_all_wrong_values_are_told_at_once_with_their_lines(env_file: Callable[[str], Settings], project: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        env_file("AURITE_DB_PORT=x\nAURITE_ENABLE_DB=perhaps\n")
    assert f"AURITE_DB_PORT ({project}/.env:1)" in caught.value.message
    assert f"AURITE_ENABLE_DB ({project}/.env:2)" in caught.value.message


def test_a_very_long_wrong_value_is_shortened(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURITE_DB_TYPE", "x" * 10_000)
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(project)
    assert len(str(caught.value)) < 300


# The .env file.


def test_the_env_file_of_0_4_is_read_with_its_comments(env_file: Callable[[str], Settings]) -> None:
    read = env_file(
        "## APP CONFIG ##\n"
        "API_KEY=your_secure_api_key_here # This is the API key for the server.\n"
        "ENV=development # Set to production for production use\n\n"
        "AURITE_ENABLE_DB=false # Set to true to enable DB persistence\n"
        "AURITE_DB_PORT=5432 # This is the internal port for PostgreSQL service.\n"
    )
    assert read.api_key == Secret("your_secure_api_key_here")
    assert (read.env, read.enable_db, read.db_port, read.warnings) == ("development", False, 5432, ())


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=plain", "plain"),
        ("A = spaced out \t", "spaced out"),
        ("  export A=exported", "exported"),
        ("export\tA=tab", "tab"),
        ("A=pa#ss", "pa#ss"),
        ("A=#first", "#first"),
        ("A=pass # comment", "pass"),
        ("A=pass\t# comment", "pass"),
        ("A= # comment", ""),
        ("A=", ""),
        ("A=it's", "it's"),
        ("A=a=b=c", "a=b=c"),
        ("A='single # \\n \"kept\"'", 'single # \\n "kept"'),
        ("A='single' # comment", "single"),
        ('A="double # kept" # comment', "double # kept"),
        (r'A="a\nb \"c\" \\ \t"', 'a\nb "c" \\ \\t'),
        ('A="\'"', "'"),
        ("A=''", ""),
        ("A=' '", " "),
        ("A=$HOME/${HOME}", "$HOME/${HOME}"),
        ("A=\u00fcml\u00e4ut \U0001f511", "\u00fcml\u00e4ut \U0001f511"),
        ("A=a\u2028b\x0bc\x85d", "a\u2028b\x0bc\x85d"),
        ('A="first\nsecond # still\n"', "first\nsecond # still\n"),
    ],
)
def test_a_line_of_the_env_file_is_read_as_shells_and_dotenv_read_it(
    line: str, value: str, env_file: Callable[[str], Settings]
) -> None:
    read = env_file(f"{line}\nZ=after")

    assert (read.environment["A"], read.environment["Z"], read.warnings) == (value, "after", ())


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_values(env_file: Callable[[bytes], Settings]) -> None:
    read = env_file(b"\xef\xbb\xbfAURITE_ENABLE_DB=true\r\nAURITE_DB_NAME='quoted'\r\nAURITE_DB_HOST=db.example\r")

    assert (read.enable_db, read.db_name, read.db_host, read.warnings) == (True, "quoted", "db.example", ())


@pytest.mark.parametrize(
    "line",
    [
        f"{PASSWORD}",
        f"KEY:{PASSWORD}",
        f"A B={PASSWORD}",
        f"={PASSWORD}",
        f"1A={PASSWORD}",
        f"A='{PASSWORD}",
        f'A="{PASSWORD}',
        f"A='{PASSWORD}' tail",
        f'A="{PASSWORD}"tail',
        f"A={PASSWORD}\0",
        "export A",
    ],
)
def test_a_line_that_is_not_understood_is_told_by_its_number_and_never_by_its_text(
    line: str, env_file: Callable[[str], Settings], project: Path
) -> None:
    read = env_file(f"FIRST=1\n{line}\nLAST=2\n")

    assert read.warnings == (f"{project}/.env:2: this line is not understood and was left out; write NAME=value",)
    assert (read.secret("FIRST"), read.secret("LAST"), read.secret("A")) == ("1", "2", None)


def test_a_quote_that_is_never_closed_swallows_no_other_line(env_file: Callable[[str], Settings]) -> None:
    read = env_file('A="open\nB="closed"\nC=last\n')

    assert (read.secret("A"), read.secret("B"), read.secret("C")) == (None, "closed", "last")
    assert len(read.warnings) == 1


def test_the_last_of_two_lines_counts_and_people_hear_of_it(env_file: Callable[[str], Settings], project: Path) -> None:
    read = env_file("AURITE_DB_HOST=one\n\nAURITE_DB_HOST=two\n")

    assert read.db_host == "two"
    assert read.warnings == (f"{project}/.env:3: AURITE_DB_HOST was set on line 1 already; this line counts",)


@pytest.mark.parametrize("content", [b"# ok\nNAME=caf\xe9 " + PASSWORD.encode() + b"\n", "# ok\nA=1\n".encode("utf-16")])
def test_an_env_file_that_is_not_utf8_is_refused_with_its_line_and_without_its_text(
    content: bytes, env_file: Callable[[bytes], Settings], project: Path
) -> None:
    with pytest.raises(SettingsError) as caught:
        env_file(content)
    assert f"{project}/.env:{1 if content[0] == 0xFF else 2}: the file is not UTF-8 text" in str(caught.value)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__ is None


def test_an_env_file_of_many_megabytes_is_refused(env_file: Callable[[str], Settings]) -> None:
    with pytest.raises(SettingsError, match="larger than 1 MiB"):
        env_file("# padding\n" * 110_000)


def test_the_largest_env_file_is_read_in_a_moment(env_file: Callable[[str], Settings]) -> None:
    read = env_file('A="\n' * 200_000)
    assert len(read.warnings) > 1000


def test_a_folder_or_device_called_env_is_left_out_with_a_warning(project: Path) -> None:
    (project / ".env").mkdir()
    assert Settings.from_env(project).warnings == (f"{project}/.env is not a file and was left out",)

    (project / ".env").rmdir()
    os.mkfifo(project / ".env")
    assert Settings.from_env(project).warnings == (f"{project}/.env is not a file and was left out",)


def test_an_env_file_that_may_not_be_read_is_refused(project: Path) -> None:
    (project / ".env").write_text(f"AURITE_DB_PASSWORD={PASSWORD}\n")
    (project / ".env").chmod(0)

    output = as_somebody_else("try: Settings.from_env()\nexcept SettingsError as error: print(error)", project)

    assert output == f"{project}/.env cannot be read: Permission denied. Let your user read it, or move it away.\n"


def as_somebody_else(program: str, folder: Path, *, before: str = "") -> str:
    """What a program prints in a folder where mode bits hold for it: root becomes ``nobody``, for whom root may do too much.

    What the program needs is imported first: ``nobody`` may not be allowed into the virtual environment.
    """
    temporary = Path(tempfile.gettempdir()).resolve()
    for above in folder.parents:
        if temporary in above.parents:
            above.chmod(0o755)
    imports = "import os\nfrom pathlib import Path\nfrom aurite.errors import SettingsError\n"
    imports += "from aurite.settings import Settings, find_anchor\n"
    drop = "if os.getuid() == 0: os.setgid(65534), os.setuid(65534)\n"
    command = [sys.executable, "-c", imports + before + "\n" + drop + program]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True).stdout


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(content=st.text(st.sampled_from("AB= \t'\"\\#n\n\r\0=x"), max_size=60))
def test_any_text_is_either_read_or_told_line_by_line(content: str) -> None:
    read = dotenv.parse(content, Path(".env"))

    told = {int(warning.split(":")[1]) for warning in read.warnings}
    assert len(told) == len(read.warnings)
    assert all(not told & {entry.line} or "already" in "".join(read.warnings) for entry in read.entries.values())
    assert all("\0" not in entry.value for entry in read.entries.values())


@given(value=st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=40))
def test_any_value_can_be_written_between_double_quotes(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    read = dotenv.parse(f'A="{quoted}"\n', Path(".env"))
    assert read.entries["A"].value == value


# Which folder.


def test_the_project_is_the_folder_of_the_nearest_anchor_and_its_env_file_counts(project: Path) -> None:
    deep = project / "config" / "agents"
    deep.mkdir(parents=True)
    (deep / ".env").write_text("AURITE_DB_PORT=1\n")
    (project / ".env").write_text("AURITE_DB_PORT=2\n")
    (project.parent / ".env").write_text("AURITE_DB_PORT=3\n")

    read = Settings.from_env(deep)

    assert (read.root, read.anchor, read.db_port) == (project, project / ".aurite", 2)
    assert read.db_path == project / ".aurite_db" / "aurite.db"
    above = Settings.from_env(deep / ".." / ".." / "..")
    assert (above.root, above.anchor, above.db_port) == (project.parent, None, 3)


def test_without_an_anchor_the_current_folder_is_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".aurite").mkdir()
    (tmp_path / ".env").write_text("AURITE_DB_PATH=data/my.db\n")
    monkeypatch.chdir(tmp_path)

    read = Settings.from_env()

    assert (read.root, read.anchor, read.db_path) == (tmp_path, None, tmp_path / "data" / "my.db")


def test_a_path_may_be_absolute_or_start_at_the_home_folder(env_file: Callable[[str], Settings], tmp_path: Path) -> None:
    assert env_file(f"AURITE_DB_PATH={tmp_path}/a.db\n").db_path == tmp_path / "a.db"
    assert env_file("AURITE_DB_PATH=~/a.db\n").db_path == Path(os.environ["HOME"]) / "a.db"
    assert env_file("AURITE_DB_PATH=~a.db\n").db_path.name == "~a.db"
    assert env_file("AURITE_DB_SSLROOTCERT=system\n").db_sslrootcert == "system"
    assert env_file("AURITE_DB_SSLROOTCERT=ca.pem\n").db_sslrootcert == str(tmp_path / "project" / "ca.pem")


def test_a_current_folder_that_was_deleted_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(SettingsError, match="current folder does not exist"):
        Settings.from_env()


def test_a_folder_above_that_may_not_be_entered_is_passed_over(project: Path) -> None:
    inner = project / "inner"
    inner.mkdir()
    assert find_anchor(inner) == project / ".aurite"
    try:
        assert as_somebody_else("print(find_anchor(Path()))", inner, before="os.chmod('..', 0)") == "None\n"
    finally:
        project.chmod(0o755)


# Secrets.


def test_no_secret_shows_in_a_repr_an_entry_or_a_message(
    env_file: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", PASSWORD)
    read = env_file(f"AURITE_DB_PASSWORD={PASSWORD}\nAURITE_DB_URL=postgresql://me:{PASSWORD}@host/db\nOPENAI_API_KEY={PASSWORD}\n")

    shown = f"{read} {read!r} {read.entries} {read.environment!r} {read.db_password} {read.db_password!r:>20} {read.warnings}"

    assert PASSWORD not in shown
    assert [entry(read, name).value for name in ("API_KEY", "AURITE_DB_PASSWORD", "AURITE_DB_URL")] == [MASK] * 3
    assert read.db_password is not None
    assert read.db_password.reveal() == PASSWORD
    assert read.secret("OPENAI_API_KEY") == PASSWORD


def test_a_key_comes_from_the_environment_first_and_is_none_where_it_is_empty(
    env_file: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_API_KEY", "real")
    read = env_file("A_API_KEY=file\nB_API_KEY=\n")
    assert (read.secret("A_API_KEY"), read.secret("B_API_KEY"), read.secret("C_API_KEY")) == ("real", None, None)


def test_a_password_is_kept_to_the_last_character(env_file: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURITE_DB_PASSWORD", " p@ss:w/rd%20?#'\"\\ ")
    read = env_file("")
    assert read.db_password == Secret(" p@ss:w/rd%20?#'\"\\ ")


def test_the_password_may_lie_in_a_file_of_its_own(env_file: Callable[[str], Settings], project: Path) -> None:
    (project / "password").write_text(f" {PASSWORD} \r\n")
    read = env_file("AURITE_DB_PASSWORD_FILE=password\n")
    assert read.database_password() == Secret(f" {PASSWORD} ")
    assert read.db_password is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (PASSWORD.encode() + b"\xff", "is not UTF-8 text"),
        (PASSWORD.encode() * 6000, "is larger than 64 KiB"),
    ],
)
def test_a_password_file_that_cannot_be_used_is_refused_by_name(
    content: bytes | None, reason: str, env_file: Callable[[str], Settings], project: Path
) -> None:
    if content is not None:
        (project / "password").write_bytes(content)
    read = env_file("AURITE_DB_PASSWORD_FILE=password\n")
    with pytest.raises(SettingsError) as caught:
        read.database_password()
    assert caught.value.message == f"AURITE_DB_PASSWORD_FILE names {project}/password, which {reason}"
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def test_of_password_and_file_the_one_from_the_environment_wins_and_two_side_by_side_are_refused(
    env_file: Callable[[str], Settings], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "password").write_text("of the file")
    with pytest.raises(SettingsError, match="AURITE_DB_PASSWORD and AURITE_DB_PASSWORD_FILE are both set"):
        env_file("AURITE_DB_PASSWORD=direct\nAURITE_DB_PASSWORD_FILE=password\n").database_password()

    monkeypatch.setenv("AURITE_DB_PASSWORD_FILE", str(project / "password"))
    assert env_file("AURITE_DB_PASSWORD=direct\n").database_password() == Secret("of the file")

    monkeypatch.delenv("AURITE_DB_PASSWORD_FILE")
    monkeypatch.setenv("AURITE_DB_PASSWORD", "direct")
    assert env_file("AURITE_DB_PASSWORD_FILE=password\n").database_password() == Secret("direct")


# The rest.


def test_any_value_of_no_color_counts(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "0")
    assert Settings.from_env(project).no_color is True


def test_a_misspelt_variable_is_told_with_the_right_name(env_file: Callable[[str], Settings]) -> None:
    read = env_file(f"AURITE_DB_PASWORD={PASSWORD}\nAURITE_TEST_PG=1\nAURITE_SOMETHING_ELSE=1\n")
    assert read.warnings == ("AURITE_DB_PASWORD is not a variable of Aurite and was left out; did you mean AURITE_DB_PASSWORD?",)


def test_the_user_is_the_login_name_or_a_number_where_there_is_none(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada\x1b[31m")
    assert Settings.from_env(project).user == "ada?[31m"
    monkeypatch.setenv("LOGNAME", "x" * 1000)
    assert len(Settings.from_env(project).user) == 255
    monkeypatch.delenv("LOGNAME")
    monkeypatch.setenv("USER", "grace")
    assert Settings.from_env(project).user == "grace"
    monkeypatch.delenv("USER")
    assert Settings.from_env(project).user
    nameless = "os.getuid = lambda: 4_000_000_000\nprint(Settings.from_env().user)"
    assert (
        as_somebody_else(nameless, project, before="os.environ.pop('LOGNAME', 0), os.environ.pop('USER', 0)") == "uid 4000000000\n"
    )


def test_settings_are_loaded_without_heavy_libraries() -> None:
    program = (
        "import sys, aurite.settings; print(*({'pydantic', 'yaml', 'rich', 'click', 'difflib', 'logging'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "\n"
