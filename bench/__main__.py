"""``python -m bench``: measure, and print the table."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from bench.catalogue import CATALOGUE
from bench.measuring import Measured
from bench.report import as_json, as_table, machine
from bench.scale import FULL, QUICK


@click.command()
@click.option("--quick", is_flag=True, help="Smaller sizes and few rounds: shows that it works, not how fast it is.")
@click.option("--only", multiple=True, metavar="NAME", type=click.Choice(list(CATALOGUE)), help="This group of rows; repeatable.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Measure on the disk of this folder.")
def main(*, quick: bool, only: tuple[str, ...], json_: bool, folder: Path | None) -> None:
    """Measure Aurite beside the bare driver doing the same work, by turns, and print the medians.

    NAME is one of load, get_config, append, threads, processes, read, list, new_sessions, export, start, disk, migrate.
    """
    rows: list[Measured] = []
    for name in only or CATALOGUE:
        click.echo(f"{name} ...", err=True)
        with tempfile.TemporaryDirectory(prefix="aurite-bench-", dir=folder) as own:
            rows += CATALOGUE[name](QUICK if quick else FULL, Path(own))
    if json_:
        click.echo(as_json(rows))
        return
    click.echo(f"{machine()}\n\n{as_table(rows)}")
    click.echo(f"\n{sum(row.holds is False for row in rows)} of {sum(row.holds is not None for row in rows)} budgets not met")


if __name__ == "__main__":
    main()
