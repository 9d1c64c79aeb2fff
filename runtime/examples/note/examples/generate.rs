//! Prints the registry schema, for `cfn generate`.

fn main() -> std::io::Result<()> {
    cfn_resource_runtime::print_registry_schema::<acme_notes_note::Note>()
}
