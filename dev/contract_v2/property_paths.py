"""Which of the properties that the schema declares a model has, down to those of a list's items."""

from typing import Any

from schema_rules import Schema


def declared(schema: Schema) -> set[str]:
    """Return the path of every property that the schema declares, as /Tags and /Tags/*/Key."""
    return _declared(schema, schema, "")


def _declared(schema: Schema, node: Any, path: str) -> set[str]:
    if "$ref" in node:
        return _declared(schema, schema["definitions"][node["$ref"].removeprefix("#/definitions/")], path)
    paths = _declared(schema, node["items"], f"{path}/*") if "items" in node else set()
    for name, each in node.get("properties", {}).items():
        paths |= {f"{path}/{name}"} | _declared(schema, each, f"{path}/{name}")
    return paths


def present(value: Any, path: str = "") -> set[str]:
    """Return the path of every property in a model that has a value; an empty text is none."""
    paths: set[str] = set()
    if isinstance(value, dict):
        for name, each in value.items():
            if each != "":
                paths |= {f"{path}/{name}"} | present(each, f"{path}/{name}")
    elif isinstance(value, list):
        paths = {found for each in value for found in present(each, f"{path}/*")}
    return paths
