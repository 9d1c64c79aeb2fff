"""AWS::SecretsManager::Secret, which moto's CloudFormation lacks."""

import json
import uuid
from typing import Any, Self

from moto.core.common_models import CloudFormationModel
from moto.secretsmanager.models import secretsmanager_backends


class Secret(CloudFormationModel):
    """A secret with a value that the template gives: no GenerateSecretString, no replicas."""

    def __init__(self, arn: str) -> None:
        self.physical_resource_id = arn

    @staticmethod
    def cloudformation_name_type() -> str:
        """The property that holds the name."""
        return "Name"

    @staticmethod
    def cloudformation_type() -> str:
        """The name of the type."""
        return "AWS::SecretsManager::Secret"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Self:
        """CreateSecret."""
        properties, backend = cloudformation_json["Properties"], secretsmanager_backends[account_id][region_name]
        created = backend.create_secret(
            resource_name,
            secret_string=properties.get("SecretString"),
            secret_binary=None,
            description=properties.get("Description"),
            tags=properties.get("Tags"),
            kms_key_id=properties.get("KmsKeyId"),
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )
        return cls(json.loads(created)["ARN"])

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> Self:
        """UpdateSecret."""
        properties, backend = cloudformation_json["Properties"], secretsmanager_backends[account_id][region_name]
        backend.update_secret(
            original_resource.physical_resource_id,
            secret_string=properties.get("SecretString"),
            # The SDKs send one each time; without one, moto refuses.
            client_request_token=str(uuid.uuid4()),
            kms_key_id=properties.get("KmsKeyId"),
            description=properties.get("Description"),
        )
        return cls(original_resource.physical_resource_id)

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> None:
        """DeleteSecret, at once."""
        backend = secretsmanager_backends[account_id][region_name]
        backend.delete_secret(resource_name, recovery_window_in_days=None, force_delete_without_recovery=True)

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether there is the attribute."""
        return attr == "Id"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """The ARN."""
        return self.physical_resource_id
