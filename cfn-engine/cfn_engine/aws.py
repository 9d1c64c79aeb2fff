"""AWS as moto plays it on this machine, and nothing of whoever runs this."""

import os
from typing import Any

import boto3
from botocore.config import Config

REGION = "us-east-1"
# The account that moto has by default.
ACCOUNT = "123456789012"
# moto takes any credentials; these, and the rest, keep the settings of whoever runs this from being used.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
# A stack operation may take most of it. What fails is told as it is, and not tried again.
CONFIG = Config(read_timeout=100, retries={"total_max_attempts": 1})


def isolate() -> None:
    """Let this process, and all that it starts, talk to this machine alone, whatever the caller's settings are."""
    for name in list(os.environ):
        if name.upper().startswith("AWS_") or name.upper().endswith("_PROXY"):
            del os.environ[name]
    os.environ.update(ENVIRONMENT)


def client(service: str, endpoint: str, region: str = REGION) -> Any:
    """A client of an AWS service of this machine."""
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return boto3.client(service, endpoint_url=endpoint, region_name=region, config=CONFIG, **keys)
