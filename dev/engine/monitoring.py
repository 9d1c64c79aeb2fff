"""What watches the handlers: types that moto's CloudFormation lacks, and metrics as the AWS SDK sends them."""

import json
from typing import Any, ClassVar, Self

import boto3
from botocore.parsers import RpcV2CBORParser
from moto.cloudwatch import urls
from moto.cloudwatch.models import cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.common_models import CloudFormationModel
from moto.core.models import DEFAULT_ACCOUNT_ID

from .registry import Properties


class Named(CloudFormationModel):
    """A resource that one call, by its name, creates and updates alike."""

    endpoint: ClassVar[str]
    service: ClassVar[str]
    # moto asks this class too.
    type_name: ClassVar[str] = ""
    name_property: ClassVar[str] = ""

    def __init__(self, name: str) -> None:
        self.physical_resource_id = name

    @classmethod
    def cloudformation_name_type(cls) -> str:
        """The property that holds the name."""
        return cls.name_property

    @classmethod
    def cloudformation_type(cls) -> str:
        """The name of the type."""
        return cls.type_name

    @classmethod
    def client(cls, region: str) -> Any:
        """A client of the service, which checks what it is given against the service's own model."""
        keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        return boto3.client(cls.service, endpoint_url=cls.endpoint, region_name=region, **keys)

    @classmethod
    def put(cls, client: Any, name: str, properties: Properties) -> None:
        """Creates or updates it."""
        raise NotImplementedError

    @classmethod
    def remove(cls, client: Any, name: str, properties: Properties) -> None:
        """Deletes it."""
        raise NotImplementedError

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Self:
        """Creates it."""
        properties = {
            key: value for key, value in cloudformation_json["Properties"].items() if key != cls.name_property
        }
        cls.put(cls.client(region_name), resource_name, properties)
        return cls(resource_name)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> Self:
        """Updates it."""
        name = original_resource.physical_resource_id
        return cls.create_from_cloudformation_json(name, cloudformation_json, account_id, region_name)

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> None:
        """Deletes it."""
        cls.remove(cls.client(region_name), resource_name, cloudformation_json["Properties"])

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether there is the attribute."""
        return False


class Alarm(Named):
    """An alarm on metrics."""

    type_name, service, name_property = "AWS::CloudWatch::Alarm", "cloudwatch", "AlarmName"

    @classmethod
    def put(cls, client: Any, name: str, properties: Properties) -> None:
        """PutMetricAlarm."""
        client.put_metric_alarm(AlarmName=name, **properties)

    @classmethod
    def remove(cls, client: Any, name: str, properties: Properties) -> None:
        """DeleteAlarms."""
        client.delete_alarms(AlarmNames=[name])


class MetricFilter(Named):
    """A metric that counts log lines."""

    type_name, service, name_property = "AWS::Logs::MetricFilter", "logs", "FilterName"

    @classmethod
    def put(cls, client: Any, name: str, properties: Properties) -> None:
        """PutMetricFilter."""
        client.put_metric_filter(filterName=name, **with_small_initials(properties))

    @classmethod
    def remove(cls, client: Any, name: str, properties: Properties) -> None:
        """DeleteMetricFilter."""
        client.delete_metric_filter(filterName=name, logGroupName=properties["LogGroupName"])


class ConfigRule(Named):
    """A rule of AWS Config."""

    type_name, service, name_property = "AWS::Config::ConfigRule", "config", "ConfigRuleName"

    @classmethod
    def put(cls, client: Any, name: str, properties: Properties) -> None:
        """PutConfigRule."""
        parameters = json.dumps(properties.get("InputParameters", {}))
        client.put_config_rule(ConfigRule={**properties, "ConfigRuleName": name, "InputParameters": parameters})

    @classmethod
    def remove(cls, client: Any, name: str, properties: Properties) -> None:
        """DeleteConfigRule."""
        client.delete_config_rule(ConfigRuleName=name)


class QueryDefinition(Named):
    """A saved query. It is nowhere but in its stack: moto has no PutQueryDefinition."""

    type_name, service, name_property = "AWS::Logs::QueryDefinition", "logs", "Name"

    @classmethod
    def put(cls, client: Any, name: str, properties: Properties) -> None:
        """Nothing."""

    @classmethod
    def remove(cls, client: Any, name: str, properties: Properties) -> None:
        """Nothing."""


def with_small_initials(value: Any) -> Any:
    """Properties by the names that the API of CloudWatch Logs has for them."""
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: with_small_initials(item) for name, item in value.items()}
    return [with_small_initials(item) for item in value] if isinstance(value, list) else value


def put_metric_data(request: Any, url: str, headers: Any) -> tuple[int, dict[str, str], bytes]:
    """PutMetricData in CBOR (Smithy RPC v2), as newer AWS SDKs send it; moto takes JSON alone."""
    parser = RpcV2CBORParser()
    fields = parser.parse_data_item(parser.get_peekable_stream_from_bytes(request.data))
    region = CloudWatchResponse().get_region_from_url(request, url)
    cloudwatch_backends[DEFAULT_ACCOUNT_ID][region].put_metric_data(fields["Namespace"], fields["MetricData"])
    an_empty_map = b"\xa0"
    return 200, {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}, an_empty_map


def install(endpoint: str) -> list[type[Named]]:
    """Lets moto take metrics in CBOR, and returns the types."""
    Named.endpoint = endpoint
    urls.url_paths["{0}/service/GraniteServiceVersion20100801/operation/PutMetricData$"] = put_metric_data
    return [Alarm, MetricFilter, ConfigRule, QueryDefinition]
