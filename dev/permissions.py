"""`make permissions`: the life of a key where signatures are verified and policies are enforced.

ministack plays AWS. The function gets temporary credentials of registration.yml's execution role, as CloudFormation
passes them. What it lacks: its ARNs of users have no path, so the role is limited to a name in its place; the ARNs of
its log groups have no `:*`, so nothing is delivered here; and there is no quota of keys.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from cfn_engine.aws import REGION, isolate
from checkout import ROOT, SCHEMA, built_binary
from contract_v2.resource_type import ResourceType
from local_aws import function, invocations
from ports import HOST, reserved_port
from processes import running, stop_on_signals
from roles import policy
from schema_rules import read

MINISTACK = ROOT / ".venv/permissions/bin/ministack"
# ministack takes an account's number for the key of its root user.
ROOT_USER = {"aws_access_key_id": "123456789012", "aws_secret_access_key": "local"}
PREFIX = "teams/payments/"


@contextmanager
def aws() -> Iterator[str]:
    """Run an AWS that enforces policies, and yield its address."""
    with reserved_port() as port:
        env = {"PATH": os.environ["PATH"], "AUTH": "true", "GATEWAY_PORT": str(port), "GATEWAY_HOST": HOST}
        with running([MINISTACK], port, env=env):
            yield f"http://{HOST}:{port}"


def credentials(endpoint: str, role: str) -> dict[str, str]:
    """Make one of registration.yml's roles, and return temporary credentials of it, as CloudFormation passes them."""
    iam, sts = (boto3.client(name, endpoint_url=endpoint, region_name=REGION, **ROOT_USER) for name in ("iam", "sts"))
    trusted = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [trusted]}
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    # Its ARNs of users lack the path.
    allowed = policy("registration.yml", role, IamUserPath="/alice", SecretNamePrefix=PREFIX)
    iam.put_role_policy(RoleName=role, PolicyName="allowed", PolicyDocument=json.dumps(allowed))
    given = sts.assume_role(RoleArn=arn, RoleSessionName="life")["Credentials"]
    names = {"accessKeyId": "AccessKeyId", "secretAccessKey": "SecretAccessKey", "sessionToken": "SessionToken"}
    return {name: given[theirs] for name, theirs in names.items()}


def play(key: ResourceType) -> Iterator[str]:
    """The life of a key of alice's, and what its role may not do; yields what went as it has to."""
    # IAM may not know yet what a role may do with a user who is seconds old: CloudFormation is told to call again.
    key.create({"UserName": "stranger"}).failed("ResourceConflict")
    yield "a user whom the role does not reach gets no key"
    wanted: dict[str, Any] = {"UserName": "alice", "Serial": 1, "Tags": [{"Key": "team", "Value": "payments"}]}
    made = key.create(wanted).succeeded().model
    yield "CREATE makes a key and stores its secret"
    assert key.read(made).succeeded().model["SecretAccessKey"]
    yield "READ answers with the secret"
    changed = {**wanted, "Status": "Inactive", "Tags": [{"Key": "stage", "Value": "test"}]}
    key.update(made, changed, wanted).succeeded()
    yield "UPDATE deactivates the key, and adds and removes tags of its secret"
    rotated = key.create({**wanted, "Serial": 2}).succeeded().model
    key.delete(made).succeeded()
    yield "a rotation makes another key, and deletes the first and its secret"
    key.delete({"Id": rotated["Id"]}).succeeded()
    yield "DELETE finds the owner by the key's id alone"
    key.read(made).failed("NotFound")
    yield "READ of a key that is gone says NotFound"


def main() -> int:
    """Play the life, and return the exit status."""
    isolate()
    stop_on_signals()
    with aws() as endpoint, function(built_binary(), endpoint) as api:
        iam = boto3.client("iam", endpoint_url=endpoint, region_name=REGION, **ROOT_USER)
        for user in ("alice", "stranger"):
            iam.create_user(UserName=user)
        caller, configuration = credentials(endpoint, "ExecutionRole"), {"SecretNamePrefix": PREFIX}
        key = ResourceType(invocations(api), read(SCHEMA), caller=caller, type_configuration=configuration)
        for step in play(key):
            print(f"ok  {step}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
