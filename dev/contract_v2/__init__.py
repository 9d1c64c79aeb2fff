"""CloudFormation's contract tests v2, which a newly registered type has to pass, played against the built function.

AWS publishes what each scenario asks, and no runner for a type written in Rust: that of the CloudFormation CLI
(`cfn test --v2`) takes Java handlers alone. So the scenarios are played here, each under AWS's own name, from the list
in the CloudFormation CLI user guide, "Contract tests for resource types":
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/contract-tests.html
"""
