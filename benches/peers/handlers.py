"""The same handlers on the official Python runtime: the same calls, in the same order, side by side where ours are.

They are the least that answers the same model. What only takes time (waiting until AWS agrees, rollback, validation
beyond the library's own) is left out, so that the comparison errs in their favour.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from cloudformation_cli_python_lib import (
    Action,
    OperationStatus,
    ProgressEvent,
    Resource,
    SessionProxy,
    exceptions,
)
from cloudformation_cli_python_lib.interface import BaseModel

TYPE_NAME = "AWS::IAM::AccessKey"
PREFIX = "cloudformation/iam-access-key/"
CONCURRENT_CALLS = 8
USERS_PER_PAGE = 48


@dataclass
class AccessKey(BaseModel):
    UserName: str | None = None
    Serial: int | None = None
    Status: str | None = None
    Id: str | None = None
    SecretAccessKey: str | None = None
    SecretArn: str | None = None
    CreateDate: str | None = None

    @classmethod
    def _deserialize(cls, properties: dict[str, Any] | None) -> "AccessKey | None":
        return cls(**properties) if properties else None


resource = Resource(TYPE_NAME, AccessKey)


@resource.handler(Action.CREATE)
def create(session: SessionProxy, request: Any, _context: Any) -> ProgressEvent:
    iam, secrets = session.client("iam"), session.client("secretsmanager")
    user = request.desiredResourceState.UserName
    iam.list_access_keys(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    value = {
        "AccessKeyId": key["AccessKeyId"],
        "SecretAccessKey": key["SecretAccessKey"],
        "UserName": user,
        "CreateDate": key["CreateDate"].isoformat(),
    }
    secrets.create_secret(Name=PREFIX + key["AccessKeyId"], SecretString=json.dumps(value))
    return success(key_of(iam, secrets, key["AccessKeyId"]))


@resource.handler(Action.READ)
def read(session: SessionProxy, request: Any, _context: Any) -> ProgressEvent:
    iam, secrets = session.client("iam"), session.client("secretsmanager")
    return success(key_of(iam, secrets, request.desiredResourceState.Id))


@resource.handler(Action.DELETE)
def delete(session: SessionProxy, request: Any, _context: Any) -> ProgressEvent:
    iam, secrets = session.client("iam"), session.client("secretsmanager")
    key = request.desiredResourceState
    iam.delete_access_key(UserName=key.UserName, AccessKeyId=key.Id)
    secrets.delete_secret(SecretId=PREFIX + key.Id, ForceDeleteWithoutRecovery=True)
    iam.list_access_keys(UserName=key.UserName)
    return success(None)


@resource.handler(Action.LIST)
def list_(session: SessionProxy, request: Any, _context: Any) -> ProgressEvent:
    iam = session.client("iam")
    more = {"Marker": request.nextToken} if request.nextToken else {}
    page = iam.list_users(MaxItems=USERS_PER_PAGE, **more)
    names = [user["UserName"] for user in page["Users"]]
    with ThreadPoolExecutor(CONCURRENT_CALLS) as pool:
        keys = [
            key for user in pool.map(lambda name: iam.list_access_keys(UserName=name), names) for key in metadata(user)
        ]
    return ProgressEvent(status=OperationStatus.SUCCESS, resourceModels=keys, nextToken=page.get("Marker"))


def key_of(iam: Any, secrets: Any, key_id: str) -> AccessKey:
    secret = secrets.get_secret_value(SecretId=PREFIX + key_id)
    value = json.loads(secret["SecretString"])
    for key in metadata(iam.list_access_keys(UserName=value["UserName"])):
        if key.Id == key_id:
            key.SecretAccessKey, key.SecretArn = value["SecretAccessKey"], secret["ARN"]
            return key
    raise exceptions.NotFound(TYPE_NAME, key_id)


def metadata(answer: dict[str, Any]) -> list[AccessKey]:
    return [
        AccessKey(
            UserName=key["UserName"],
            Id=key["AccessKeyId"],
            Status=key["Status"],
            CreateDate=key["CreateDate"].isoformat(),
        )
        for key in answer["AccessKeyMetadata"]
    ]


def success(model: AccessKey | None) -> ProgressEvent:
    return ProgressEvent(status=OperationStatus.SUCCESS, resourceModel=model)
