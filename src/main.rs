//! The Lambda binary of the resource type: it answers CloudFormation's handler requests for IAM access keys.

use iam_access_key::{AccessKeyType, CRATES};
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    cfn_resource_runtime::run::<AccessKeyType>(CRATES).await
}
