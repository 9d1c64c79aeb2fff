"""The handlers' calls to AWS: what they called when which keys were there, and which calls are denied.

GET /engine/calls        those since the engine was started, or since the last DELETE of the same
PUT /engine/denials      {"CreateSecret": 1}: how many of the next calls of an operation no policy allows
PUT /engine/rollbacks    {"failed_as_previous": true, "marked": false}: what the rollback of an UPDATE sends
PUT /engine/age          makes all users and keys an hour older: of what is new, handlers wait to see more
"""

import io
import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import User, iam_backends
from werkzeug import Request, Response

from .handlers import CALLER, PROVIDER
from .stack import ROLLBACKS

KEYS = [each["accessKeyId"] for each in (CALLER, PROVIDER)]
# How Secrets Manager and how IAM say no.
JSON_DENIAL = {"__type": "AccessDeniedException", "Message": "the test says no"}
XML_DENIAL = (
    "<ErrorResponse><Error><Code>AccessDenied</Code><Message>the test says no</Message></Error></ErrorResponse>"
)


class Calls:
    """moto's server, and before it an account of what the handlers call."""

    def __init__(self, aws: Any) -> None:
        """Nothing was called yet, and nothing is denied."""
        self.aws = aws
        self.calls: list[dict[str, Any]] = []
        self.denials: dict[str, int] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answers a request of WSGI."""
        request = Request(environ)
        if request.path.startswith("/engine/"):
            return self.tell(request)(environ, start_response)
        # The server, too, reads it, and once.
        environ["wsgi.input"] = io.BytesIO(request.get_data(parse_form_data=False))
        if any(f"Credential={key}/" in request.headers.get("Authorization", "") for key in KEYS):
            named = operation(request)
            self.calls.append({"operation": named, "keys": keys()})
            if self.denials.get(named, 0) > 0:
                self.denials[named] -= 1
                return denial(request)(environ, start_response)
        answer: Iterable[bytes] = self.aws(environ, start_response)
        return answer

    def tell(self, request: Request) -> Response:
        """Answers whoever asks for the calls, or sets what the handlers find."""
        match request.method, request.path:
            case "PUT", "/engine/denials":
                self.denials = request.get_json()
            case "PUT", "/engine/rollbacks":
                vars(ROLLBACKS).update(request.get_json())
            case "PUT", "/engine/age":
                age()
            case "DELETE", "/engine/calls":
                self.calls = []
        return Response(json.dumps(self.calls), content_type="application/json")


def operation(request: Request) -> str:
    """The operation of a call: by a header, by a form's field, or, of CloudWatch, at the end of the path."""
    target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
    return target or request.form.get("Action") or request.path.rpartition("/")[2]


def denial(request: Request) -> Response:
    """What a call is answered that no policy allows."""
    if "X-Amz-Target" in request.headers:
        return Response(json.dumps(JSON_DENIAL), 403, content_type="application/x-amz-json-1.1")
    return Response(XML_DENIAL, 403, content_type="text/xml")


def users() -> list[User]:
    """The users of the account."""
    return list(iam_backends[DEFAULT_ACCOUNT_ID]["aws"].users.values())


def keys() -> dict[str, list[str]]:
    """The ids of every user's access keys."""
    return {user.name: [key.access_key_id for key in user.get_all_access_keys()] for user in users()}


def age() -> None:
    """Makes all users and their keys older."""
    for user in users():
        aged: list[Any] = [user, *user.get_all_access_keys()]
        for each in aged:
            each.create_date -= timedelta(hours=1)
