"""Starts the engine: moto's server, with registered resource types in its CloudFormation."""

import argparse
import json
from pathlib import Path

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

from .backend import install
from .calls import Calls
from .registry import Registration


def application(registrations: list[Registration], endpoint: str) -> Calls:
    """All AWS APIs, for a server at this endpoint. A process has one: it replaces parts of moto."""
    install(registrations, endpoint)
    return Calls(DomainDispatcherApplication(create_backend_app))


def main() -> None:
    """Serves until it is told to stop."""
    parser = argparse.ArgumentParser(prog="cfn_engine", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port of all AWS APIs, on 127.0.0.1")
    parser.add_argument(
        "--lambda-url",
        required=True,
        help="where the handlers are invoked: http://HOST:PORT/2015-03-31/functions/NAME/invocations",
    )
    parser.add_argument("--schema", type=Path, required=True, help="the registry schema")
    parser.add_argument(
        "--type",
        action="append",
        help="a name that the type is registered under; can be repeated (default: the schema's typeName)",
    )
    parser.add_argument("--type-configuration", type=json.loads, help="the account's type configuration, as JSON")
    parser.add_argument("--log-group", help="where the handlers' logs go (default: they send neither logs nor metrics)")
    arguments = parser.parse_args()

    schema = json.loads(arguments.schema.read_text())
    registrations = [
        Registration(
            type_name=name,
            schema=schema,
            lambda_url=arguments.lambda_url,
            type_configuration=arguments.type_configuration,
            log_group=arguments.log_group,
        )
        for name in arguments.type or [schema["typeName"]]
    ]
    server = application(registrations, f"http://127.0.0.1:{arguments.port}")
    run_simple("127.0.0.1", arguments.port, server, threaded=True)
