//! CloudWatch's calls between the SDK, which speaks CBOR (Smithy RPC v2), and moto, which speaks JSON.

use hyper::{
    Response,
    body::Bytes,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
    http::request,
};
use serde_json::Value;

/// Turns a call in CBOR into the same in JSON. Returns whether it was one.
pub(super) fn translate_request(head: &mut request::Parts, body: &mut Bytes) -> bool {
    let path = head.uri.path().to_owned();
    let Some((service, operation)) = path.strip_prefix("/service/").and_then(|path| path.split_once("/operation/"))
    else {
        return false;
    };
    let fields: Value = ciborium::from_reader(body.as_ref()).expect("CBOR");
    *body = fields.to_string().into();
    head.uri = "/".parse().expect("a path");
    let header = |text: &str| HeaderValue::from_str(text).expect("a header");
    head.headers.insert("x-amz-target", header(&format!("{service}.{operation}")));
    head.headers.insert(CONTENT_TYPE, header("application/x-amz-json-1.0"));
    head.headers.insert(CONTENT_LENGTH, body.len().into());
    true
}

/// Turns an answer in JSON into the same in CBOR.
pub(super) fn translate_response(response: &mut Response<Bytes>) {
    let fields: Value = serde_json::from_slice(response.body()).expect("JSON");
    let mut body = Vec::new();
    ciborium::into_writer(&fields, &mut body).expect("CBOR");
    *response.body_mut() = body.into();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/cbor"));
    response.headers_mut().insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
}
