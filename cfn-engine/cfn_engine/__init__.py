"""A CloudFormation engine for this machine that calls a resource type's handlers as CloudFormation does.

It is moto's CloudFormation API (stacks, change sets, events, templates, and moto's own resource types) with two parts
replaced: registered resource types, whose operations become handler requests to a Lambda API (`registry`, `handlers`),
and the order in which CloudFormation creates, updates, replaces, cleans up, rolls back and deletes (`stack`). Four
things are added: dynamic references (`references`), types that moto lacks (`more_types`), that no user is deleted who
still has access keys (`backend`), and an account of what the handlers call (`calls`). The README says how it is
started, and what it does not imitate.
"""
