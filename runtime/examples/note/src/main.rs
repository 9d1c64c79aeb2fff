//! The Lambda function.

use acme_notes_note::NoteType;
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    cfn_resource_runtime::run::<NoteType>(&["acme_notes_note"]).await
}
