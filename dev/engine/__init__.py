r"""A CloudFormation engine for this machine that calls a resource type's handlers as CloudFormation does.

    PYTHONPATH=dev python -m engine --moto-port 5000 --type Acme::IAM::AccessKey \
        --lambda-url http://127.0.0.1:9000/2015-03-31/functions/iam-access-key/invocations
    aws cloudformation deploy --endpoint-url http://127.0.0.1:5000 --stack-name s --template-file examples/basic.yml

It is moto's CloudFormation API (stacks, change sets, events, templates, and moto's own resource types) with two parts
replaced: registered resource types, whose operations become handler requests to a Lambda API (`registry`), and the
order in which CloudFormation creates, updates, replaces, cleans up, rolls back and deletes (`stack`). Six things are
added: dynamic references (`references`), AWS::SecretsManager::Secret (`secret`), schedules (`schedule`), alarms and
what else watches the handlers (`monitoring`), that no user is deleted who still has access keys (`backend`), and an
account of what the handlers call (`calls`).

What it does not imitate:

- Resources are made one after the other, never side by side.
- Permissions: handlers get made-up caller credentials, and, with `--log-group`, made-up provider credentials. What is
  denied is what a test has asked for (`calls`).
- No alarm is ever evaluated, no metric filter counts, and no rule of AWS Config looks at anything.
- Dynamic references: no `ssm-secure`. A resource's text alone decides whether its references are resolved again. On
  AWS, an update that changes anything may also get the newest version for each `ssm` reference that names none.
- No schedule ever fires.
- Registration (RegisterType, SetTypeConfiguration): options of this program stand for it. Properties are not checked
  against the schema before the handlers get them, and references to names that no template part has are found late.
- `replacementStrategy` is always create-then-delete. `conditionalCreateOnlyProperties`, hooks, stack policies, stack
  sets, nested stacks that fail, `DisableRollback`, ContinueUpdateRollback, `RetainResources`, drift detection.
- Whether a property of one of moto's own types is create-only comes from cfn-lint's schemas. How such a resource is
  created, updated in place and deleted is moto's doing, gaps included: moto updates few types whole.
- An import reads the resource and leaves its tags alone. The changes that a change set lists, and what
  ValidateTemplate says, are moto's guesses.
"""
