//! Prints the registry schema: `make schema` writes it to `schema/aws-iam-accesskey.json`.
//!
//! The type name is the first argument, or else `AWS::IAM::AccessKey`.

use std::io::{self, Write};

use access_key_schema::{AccessKey, ResourceModel, registry_schema};

fn main() -> io::Result<()> {
    let type_name = std::env::args().nth(1).unwrap_or_else(|| AccessKey::TYPE_NAME.to_owned());
    let mut stdout = io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, &registry_schema(&type_name))?;
    stdout.write_all(b"\n")
}
