"""Starts the engine: moto's server, with registered resource types in its CloudFormation."""

import argparse
import json
from pathlib import Path

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from surroundings import SCHEMA
from werkzeug.serving import run_simple

from .backend import install
from .calls import Calls
from .registry import Registration


def main() -> None:
    """Serves until it is told to stop."""
    parser = argparse.ArgumentParser(prog="engine", description=__doc__)
    parser.add_argument("--moto-port", type=int, required=True, help="port of all AWS APIs, on 127.0.0.1")
    parser.add_argument(
        "--lambda-url",
        required=True,
        help="where the handlers are invoked: http://HOST:PORT/2015-03-31/functions/NAME/invocations",
    )
    parser.add_argument(
        "--type",
        action="append",
        help="a name that the type is registered under; can be repeated (default: the schema's typeName)",
    )
    parser.add_argument(
        "--schema", type=Path, default=SCHEMA, help="the registry schema (default: the one in the repository's schema/)"
    )
    parser.add_argument("--type-configuration", type=json.loads, help="the account's type configuration, as JSON")
    parser.add_argument(
        "--first-backoff", type=float, default=0.5, help="seconds before the first retry of a handler (default: 0.5)"
    )
    parser.add_argument("--log-group", help="where the handlers' logs go (default: they send neither logs nor metrics)")
    arguments = parser.parse_args()

    schema = json.loads(arguments.schema.read_text())
    names = arguments.type or [schema["typeName"]]
    shared = schema, arguments.lambda_url, arguments.type_configuration, arguments.first_backoff, arguments.log_group
    install([Registration(name, *shared) for name in names], f"http://127.0.0.1:{arguments.moto_port}")
    server = Calls(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", arguments.moto_port, server, threaded=True)


if __name__ == "__main__":
    main()
