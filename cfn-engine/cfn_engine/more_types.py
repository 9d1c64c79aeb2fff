"""Types that moto's CloudFormation lacks, by the calls of their services, and metrics as the AWS SDK sends them."""

import json
from collections.abc import Callable
from typing import Any, ClassVar, Self

from botocore.parsers import RpcV2CBORParser
from moto.cloudwatch import urls
from moto.cloudwatch.models import cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.common_models import CloudFormationModel
from moto.core.models import DEFAULT_ACCOUNT_ID

from .aws import client
from .handlers import Properties

# A client of the service, the resource's name or physical id, and the other properties.
Call = Callable[[Any, str, Properties], Any]


class Called(CloudFormationModel):
    """A resource that calls of its service create, update and delete; boto3 checks what they are given."""

    endpoint: ClassVar[str]
    type_name: ClassVar[str] = ""
    service: ClassVar[str]
    name_property: ClassVar[str] = ""
    create: ClassVar[Call]
    update: ClassVar[Call]
    remove: ClassVar[Call]
    # Of a type that is known by its ARN, and not by its name.
    has_arn: ClassVar[bool]

    def __init__(self, physical_id: str) -> None:
        self.physical_resource_id = physical_id

    @classmethod
    def cloudformation_name_type(cls) -> str:
        """The property that holds the name."""
        return cls.name_property

    @classmethod
    def cloudformation_type(cls) -> str:
        """The name of the type."""
        return cls.type_name

    @classmethod
    def call(cls, call: Call, name: str, cloudformation_json: Any, region: str) -> Any:
        """Calls the service."""
        properties: Properties = {**cloudformation_json["Properties"]}
        properties.pop(cls.name_property, None)
        return call(client(cls.service, cls.endpoint, region), name, properties)

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Self:
        """Creates it."""
        answer = cls.call(cls.create, resource_name, cloudformation_json, region_name)
        return cls(answer["ARN"] if cls.has_arn else resource_name)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> Self:
        """Updates it."""
        physical_id: str = original_resource.physical_resource_id
        cls.call(cls.update, physical_id, cloudformation_json, region_name)
        return cls(physical_id)

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> None:
        """Deletes it."""
        cls.call(cls.remove, resource_name, cloudformation_json, region_name)

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether there is the attribute."""
        return cls.has_arn and attr == "Id"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """The ARN."""
        return self.physical_resource_id


def called(
    type_name: str, service: str, name_property: str, create: Call, remove: Call, update: Call | None = None
) -> type[Called]:
    """A type by its calls. Without `update`, that which creates updates as well."""
    calls = {"create": staticmethod(create), "remove": staticmethod(remove), "update": staticmethod(update or create)}
    names = {"type_name": type_name, "service": service, "name_property": name_property}
    return type("Called", (Called,), {**names, **calls, "has_arn": service == "secretsmanager"})


def put_config_rule(config: Any, name: str, properties: Properties) -> None:
    """PutConfigRule, whose parameters are JSON in a string."""
    parameters = json.dumps(properties.get("InputParameters", {}))
    config.put_config_rule(ConfigRule={**properties, "ConfigRuleName": name, "InputParameters": parameters})


def update_secret(secrets: Any, arn: str, properties: Properties) -> None:
    """UpdateSecret, which takes no tags."""
    secrets.update_secret(SecretId=arn, **{name: value for name, value in properties.items() if name != "Tags"})


def with_small_initials(value: Any) -> Any:
    """Properties by the names that the API of CloudWatch Logs has for them."""
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: with_small_initials(item) for name, item in value.items()}
    return [with_small_initials(item) for item in value] if isinstance(value, list) else value


TYPES = [
    called(
        "AWS::CloudWatch::Alarm", "cloudwatch", "AlarmName",
        lambda cloudwatch, name, properties: cloudwatch.put_metric_alarm(AlarmName=name, **properties),
        lambda cloudwatch, name, _: cloudwatch.delete_alarms(AlarmNames=[name]),
    ),
    called(
        "AWS::Config::ConfigRule", "config", "ConfigRuleName",
        put_config_rule,
        lambda config, name, _: config.delete_config_rule(ConfigRuleName=name),
    ),
    called(
        "AWS::Logs::MetricFilter", "logs", "FilterName",
        lambda logs, name, properties: logs.put_metric_filter(filterName=name, **with_small_initials(properties)),
        lambda logs, name, properties: logs.delete_metric_filter(
            filterName=name, logGroupName=properties["LogGroupName"]
        ),
    ),
    # It is nowhere but in its stack: moto has no PutQueryDefinition.
    called("AWS::Logs::QueryDefinition", "logs", "Name", lambda *_: None, lambda *_: None),
    # In the default group. It never fires: a test sends its target what it would.
    called(
        "AWS::Scheduler::Schedule", "scheduler", "Name",
        lambda scheduler, name, properties: scheduler.create_schedule(Name=name, **properties),
        lambda scheduler, name, _: scheduler.delete_schedule(Name=name),
        lambda scheduler, name, properties: scheduler.update_schedule(Name=name, **properties),
    ),
    # With a value that the template gives: no GenerateSecretString, no replicas.
    called(
        "AWS::SecretsManager::Secret", "secretsmanager", "Name",
        lambda secrets, name, properties: secrets.create_secret(Name=name, **properties),
        lambda secrets, arn, _: secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True),
        update_secret,
    ),
]  # fmt: skip


def put_metric_data(request: Any, url: str, headers: Any) -> tuple[int, dict[str, str], bytes]:
    """PutMetricData in CBOR (Smithy RPC v2), as newer AWS SDKs send it; moto takes JSON alone."""
    parser = RpcV2CBORParser()
    fields = parser.parse_data_item(parser.get_peekable_stream_from_bytes(request.data))
    region = CloudWatchResponse().get_region_from_url(request, url)
    cloudwatch_backends[DEFAULT_ACCOUNT_ID][region].put_metric_data(fields["Namespace"], fields["MetricData"])
    an_empty_map = b"\xa0"
    return 200, {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}, an_empty_map


def install(endpoint: str) -> list[type[Called]]:
    """Lets moto take metrics in CBOR, and returns the types."""
    Called.endpoint = endpoint
    urls.url_paths["{0}/service/GraniteServiceVersion20100801/operation/PutMetricData$"] = put_metric_data
    return TYPES
