"""An AWS CDK app with an access key: `CfnResource` takes every registered type, and `get_att` its attributes.

In a virtual environment that is activated and has requirements.txt, deploy it with the CDK's command line (`npm install
--global aws-cdk`) by `cdk deploy`; or synthesize without it, by `CDK_OUTDIR=cdk.out python app.py`, and deploy the
template in `cdk.out`.
"""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct


class AccessKeyStack(cdk.Stack):
    """A user with an access key, whose secret is known by its ARN only."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        """Increment Serial to rotate the key."""
        # `cdk deploy` sends a template this small without a bucket: it deploys where `cdk bootstrap` never ran.
        super().__init__(scope, construct_id, synthesizer=cdk.LegacyStackSynthesizer())
        user = iam.User(self, "User")
        key = cdk.CfnResource(
            self,
            "Key",
            # The name the type is registered under. The CDK checks AWS::IAM::AccessKey against Amazon's own type.
            type="Acme::IAM::AccessKey",
            properties={"UserName": user.user_name, "Serial": 1},
        )
        cdk.CfnOutput(self, "AccessKeyId", value=key.ref)
        cdk.CfnOutput(self, "SecretArn", value=key.get_att("SecretArn").to_string())


app = cdk.App()
AccessKeyStack(app, "AccessKey")
app.synth()
