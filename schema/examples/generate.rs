//! Prints the registry schema: `make schema` writes it to `schema/aws-iam-accesskey.json`.

fn main() -> std::io::Result<()> {
    cfn_resource_runtime::print_registry_schema::<access_key_schema::AccessKey>()
}
