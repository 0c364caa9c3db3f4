"""``aurite schema``: JSON Schemas for editors."""

from __future__ import annotations

import click

from aurite.cli.output import say, say_json
from aurite.model.kinds import KINDS, kind_of


@click.command
@click.argument("type_", metavar="[TYPE]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as a schema always is.")
def schema(type_: str | None, *, as_json: bool) -> None:
    """Print the JSON Schema of a component type; without TYPE, the names of the types."""
    if type_ is not None:
        kind = kind_of(type_)
        document = kind.model.model_json_schema()
        required = [field for field in ("type", *document.get("required", ())) if field in document["properties"]]
        say_json({"$schema": "https://json-schema.org/draft/2020-12/schema", **document, "title": kind.label, "required": required})
    elif as_json:
        say_json({"types": list(KINDS)})
    else:
        say("\n".join(KINDS))
