// Reads simulations as a list in JSON, and writes what IAM would decide of each, in the same order.
import { text } from 'node:stream/consumers'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const decisions = []
// A KMS key's own policy decides first. This one is the default: the account's policies decide.
const keyPolicy = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::123456789012:root' }, Action: 'kms:*', Resource: '*' }]
}
for (const { policy, action, resource, context } of JSON.parse(await text(process.stdin))) {
  const answer = await runSimulation({
    identityPolicies: [{ name: 'role', policy }],
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    ...(action.startsWith('kms:') && { resourcePolicy: keyPolicy }),
    request: {
      action,
      principal: 'arn:aws:iam::123456789012:role/ExecutionRole',
      resource: { accountId: '123456789012', resource },
      contextVariables: context
    }
  }, {})
  decisions.push(answer.resultType === 'error' ? JSON.stringify(answer.errors) : answer.overallResult)
}
process.stdout.write(JSON.stringify(decisions))
