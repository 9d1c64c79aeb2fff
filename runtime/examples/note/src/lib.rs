//! A note, as a resource of CloudFormation. It is a file of the function's own, so that nothing is needed to try it.
//!
//! Put your own resource in its place: its properties, and what the five actions mean.

use std::{
    env,
    fs::{self, File},
    io::{self, ErrorKind},
    path::PathBuf,
};

use cfn_resource_runtime::{
    HandlerErrorCode, Handlers, Invocation, NoTypeConfiguration, Permissions, ResourceModel, ResourceType,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub type Request = cfn_resource_runtime::Request<Note>;
pub type ProgressEvent = cfn_resource_runtime::ProgressEvent<Note>;
pub type HandlerError = cfn_resource_runtime::HandlerError<Note>;
pub type Result<T> = std::result::Result<T, HandlerError>;

/// A note. The doc comments of its fields are the descriptions in the registry schema.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Note {
    /// What the note is called. Changing it replaces the note.
    #[schemars(required, regex(pattern = "^[a-z0-9-]{1,64}$"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,

    /// What it says.
    #[schemars(required, length(max = 1000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,

    /// How many characters that are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub characters: Option<usize>,
}

impl ResourceModel for Note {
    type TypeConfiguration = NoTypeConfiguration;

    const TYPE_NAME: &str = "Acme::Notes::Note";
    const DESCRIPTION: &str = "Resource Type definition for a note";
    const PRIMARY_IDENTIFIER: &str = "Name";
    const READ_ONLY_PROPERTIES: &[&str] = &["Characters"];
    const CREATE_ONLY_PROPERTIES: &[&str] = &["Name"];
    // A type that calls AWS names here what each handler calls, such as "s3:PutObject".
    const PERMISSIONS: Permissions = Permissions::NONE;

    fn primary_identifier(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn identified_by(name: String) -> Self {
        Self { name: Some(name), ..Self::default() }
    }

    fn refuse_identifier(name: &str) -> Option<&'static str> {
        let of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_name = (1..=64).contains(&name.len()) && name.bytes().all(of_name);
        (!is_name).then_some("a name is 1 to 64 lower-case letters, digits or hyphens")
    }

    fn constraint(property: &str, _keyword: &str) -> &'static str {
        match property {
            "Name" => "a name is 1 to 64 lower-case letters, digits or hyphens",
            _ => "a string of at most 1,000 characters is expected",
        }
    }
}

/// The type, with its handlers.
#[derive(Debug)]
pub struct NoteType;

impl ResourceType for NoteType {
    type Model = Note;
    type Handlers = Notes;

    // A type that calls AWS makes its clients here, from `invocation.aws()?`: the caller's credentials, and the stack's region.
    fn handlers(_invocation: &Invocation<'_>, _request: &Request) -> Result<Notes> {
        let folder = env::temp_dir().join("notes");
        fs::create_dir_all(&folder).map_err(failed)?;
        Ok(Notes { folder })
    }
}

/// All notes.
#[derive(Debug)]
pub struct Notes {
    folder: PathBuf,
}

/// A note as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    text: String,
    /// The operation that made it: CloudFormation sends CREATE again if the answer was lost.
    token: Option<String>,
}

impl Handlers for Notes {
    type Model = Note;

    async fn create(&self, request: &Request) -> Result<ProgressEvent> {
        let name = request.primary_identifier()?;
        let token = request.context.client_request_token.clone();
        let kept = Kept { text: request.desired.text.clone().unwrap_or_default(), token };
        match File::create_new(self.file(name)) {
            Ok(file) => serde_json::to_writer(file, &kept).map_err(|error| failed(error.into()))?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let is_own = kept.token.is_some() && self.find(name)?.token == kept.token;
                if !is_own {
                    let message = format!("There is a note {name} already. Give this one another name");
                    return Err(HandlerError::new(HandlerErrorCode::AlreadyExists, message));
                }
            }
            Err(error) => return Err(failed(error)),
        }
        self.read(request).await
    }

    async fn read(&self, request: &Request) -> Result<ProgressEvent> {
        let name = request.primary_identifier()?;
        Ok(ProgressEvent::success(self.note(name)?))
    }

    async fn update(&self, request: &Request) -> Result<ProgressEvent> {
        let name = request.primary_identifier()?;
        let kept = Kept { text: request.desired.text.clone().unwrap_or_default(), ..self.find(name)? };
        let json = serde_json::to_string(&kept).map_err(|error| failed(error.into()))?;
        fs::write(self.file(name), json).map_err(failed)?;
        self.read(request).await
    }

    async fn delete(&self, request: &Request) -> Result<ProgressEvent> {
        let name = request.primary_identifier()?;
        self.find(name)?;
        fs::remove_file(self.file(name)).map_err(failed)?;
        Ok(ProgressEvent::deleted())
    }

    async fn list(&self, _request: &Request) -> Result<ProgressEvent> {
        let mut notes = vec![];
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let file = entry.map_err(failed)?.file_name();
            notes.extend(file.to_str().map(|name| Note::identified_by(name.to_owned())));
        }
        Ok(ProgressEvent::listed(notes, None))
    }
}

impl Notes {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn find(&self, name: &str) -> Result<Kept> {
        let json = fs::read(self.file(name)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => HandlerError::new(HandlerErrorCode::NotFound, format!("There is no note {name}")),
            _ => failed(error),
        })?;
        serde_json::from_slice(&json).map_err(|error| failed(error.into()))
    }

    fn note(&self, name: &str) -> Result<Note> {
        let Kept { text, .. } = self.find(name)?;
        let characters = text.chars().count();
        Ok(Note { name: Some(name.to_owned()), text: Some(text), characters: Some(characters) })
    }
}

fn failed(error: io::Error) -> HandlerError {
    HandlerError::new(HandlerErrorCode::ServiceInternalError, format!("The note cannot be kept: {error}"))
}
