//! The remote procedure calls of the control socket: each request and each answer is two JSON messages, a header and
//! a body, in an envelope of the three members `Request`, `Response` and `Value`.

use std::collections::HashMap;
use std::fmt::Display;

use serde::{Deserialize, Serialize};

/// The one method that a probe has.
const METHOD: &str = "control.Handle";
/// Most characters of names that come back in messages and logs.
const MAX_NAME: usize = 256;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Envelope<T> {
    request: Option<RequestHeader>,
    response: Option<ResponseHeader>,
    value: Option<T>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RequestHeader {
    seq: u64,
    service_method: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ResponseHeader {
    error: String,
    seq: u64,
    service_method: String,
}

/// A control, and what it is to be applied to.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Request {
    #[serde(rename = "NodeID")]
    pub(crate) node_id: String,
    pub(crate) control: String,
    control_args: Option<HashMap<String, String>>,
}

/// What became of it.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Response {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) error: String,
    /// A pipe to attach to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) pipe: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) raw_tty: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) resize_tty_control: &'static str,
    /// A node that is no more.
    #[serde(rename = "removedNode", skip_serializing_if = "String::is_empty")]
    pub(crate) removed_node: String,
}

/// The size that a terminal is to have.
#[derive(Debug, PartialEq)]
pub(crate) struct Size<'a> {
    pub(crate) pipe: &'a str,
    pub(crate) rows: u16,
    pub(crate) columns: u16,
}

/// Arguments that a control cannot be applied with.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum ArgumentError {
    #[error("Missing argument: {0}")]
    Missing(&'static str),
    #[error("Bad parameter: {0}")]
    Bad(&'static str),
}

impl Request {
    /// The arguments of a resize.
    pub(crate) fn size(&self) -> Result<Size<'_>, ArgumentError> {
        let argument = |name| self.argument(name).ok_or(ArgumentError::Missing(name));
        let number = |name, text: &str| {
            // Apps send 32 bits; terminals have 16.
            let number: u32 = text.parse().map_err(|_| ArgumentError::Bad(name))?;
            u16::try_from(number).map_err(|_| ArgumentError::Bad(name))
        };
        let (pipe, height, width) = (argument("pipeID")?, argument("height")?, argument("width")?);
        Ok(Size {
            pipe,
            rows: number("height", height)?,
            columns: number("width", width)?,
        })
    }

    fn argument(&self, name: &str) -> Option<&str> {
        self.control_args.as_ref()?.get(name).map(String::as_str)
    }
}

impl Response {
    pub(crate) fn error(error: impl Display) -> Self {
        Self {
            error: error.to_string(),
            ..Self::default()
        }
    }

    /// A raw terminal.
    pub(crate) fn terminal(pipe: String, resize_tty_control: &'static str) -> Self {
        Self {
            pipe,
            raw_tty: true,
            resize_tty_control,
            ..Self::default()
        }
    }
}

impl<E: Display> From<Result<(), E>> for Response {
    fn from(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::default(),
            Err(error) => Self::error(error),
        }
    }
}

/// One call of the app.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) sequence: u64,
    /// None when the method is not one that a probe has.
    pub(crate) request: Option<Request>,
}

/// Messages that are no call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("not an envelope: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the envelope has no {0}")]
    Missing(&'static str),
}

impl Call {
    pub(crate) fn parse(header: &str, body: &str) -> Result<Self, CallError> {
        let header: Envelope<serde::de::IgnoredAny> = parse(header)?;
        let header = header.request.ok_or(CallError::Missing("Request"))?;
        let request = if header.service_method == METHOD {
            let mut request = parse::<Request>(body)?
                .value
                .ok_or(CallError::Missing("Value"))?;
            truncate(&mut request.control);
            truncate(&mut request.node_id);
            Some(request)
        } else {
            None
        };
        let mut method = header.service_method;
        truncate(&mut method);
        Ok(Self {
            method,
            sequence: header.seq,
            request,
        })
    }
}

fn parse<'a, T: Deserialize<'a> + Default>(text: &'a str) -> Result<Envelope<T>, CallError> {
    Ok(serde_json::from_str(text)?)
}

fn truncate(text: &mut String) {
    let end = text.floor_char_boundary(MAX_NAME);
    text.truncate(end);
}

/// The two messages of an answer.
pub(crate) fn answer(method: &str, sequence: u64, response: &Response) -> [String; 2] {
    messages(method, sequence, "", response)
}

/// The answer to a method that a probe does not have.
pub(crate) fn unknown_method(method: &str, sequence: u64) -> [String; 2] {
    messages(
        method,
        sequence,
        &format!("rpc: can't find method {method}"),
        &HashMap::<String, ()>::new(),
    )
}

fn messages(method: &str, seq: u64, error: &str, value: &impl Serialize) -> [String; 2] {
    let response = ResponseHeader {
        error: error.to_owned(),
        seq,
        service_method: method.to_owned(),
    };
    let header = Envelope::<()> {
        response: Some(response),
        ..Envelope::default()
    };
    let body = Envelope {
        request: None,
        response: None,
        value: Some(value),
    };
    // Neither can fail: keys are strings and no value refuses to be written.
    [
        serde_json::to_string(&header).unwrap_or_default(),
        serde_json::to_string(&body).unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        r#"{"Request":{"ServiceMethod":"control.Handle","Seq":3},"Response":null,"Value":null}"#;

    #[test]
    fn call_is_read_from_two_messages() {
        let body = r#"{"Request":null,"Response":null,"Value":{"AppID":"","NodeID":"h;<host>","Control":"host_exec",
                       "ControlArgs":null}}"#;
        let call = Call::parse(HEADER, body).expect("a call");
        assert_eq!((call.method.as_str(), call.sequence), ("control.Handle", 3));
        let request = call.request.expect("a request");
        assert_eq!(
            (request.node_id.as_str(), request.control.as_str()),
            ("h;<host>", "host_exec")
        );
    }

    #[test]
    fn absent_members_are_null() {
        let header = r#"{"Request":{"ServiceMethod":"control.Handle"}}"#;
        let call = Call::parse(header, r#"{"Value":{"Control":"x"}}"#).expect("a call");
        assert_eq!(
            (
                call.sequence,
                call.request.expect("a request").control.as_str()
            ),
            (0, "x")
        );
        assert!(Call::parse("{}", "{}").is_err());
        assert!(Call::parse(HEADER, "{}").is_err());
        assert!(Call::parse("[", "{}").is_err());
    }

    #[test]
    fn unknown_method_is_answered_with_an_empty_value() {
        let call = Call::parse(
            r#"{"Request":{"ServiceMethod":"a.B","Seq":1}}"#,
            r#"{"Value":7}"#,
        )
        .expect("a call");
        assert!(call.request.is_none());
        let [header, body] = unknown_method(&call.method, call.sequence);
        assert!(
            header.contains(r#""Error":"rpc: can't find method a.B""#),
            "{header}"
        );
        assert_eq!(body, r#"{"Request":null,"Response":null,"Value":{}}"#);
    }

    #[test]
    fn answer_is_two_messages_of_three_members() {
        let [header, body] = answer(
            METHOD,
            3,
            &Response::terminal("pipe-1".into(), "host_resize_exec_tty"),
        );
        let expected = r#"{"Request":null,"Response":{"Error":"","Seq":3,"ServiceMethod":"control.Handle"},"Value":null}"#;
        assert_eq!(header, expected);
        let value =
            r#"{"pipe":"pipe-1","raw_tty":true,"resize_tty_control":"host_resize_exec_tty"}"#;
        assert_eq!(
            body,
            format!(r#"{{"Request":null,"Response":null,"Value":{value}}}"#)
        );
    }

    #[track_caller]
    fn check_size(arguments: &[(&str, &str)], expected: Result<(u16, u16), ArgumentError>) {
        let arguments = arguments
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let request = Request {
            control_args: Some(arguments),
            ..Request::default()
        };
        assert_eq!(
            request.size().map(|size| (size.rows, size.columns)),
            expected
        );
    }

    #[test]
    fn size_is_checked() {
        check_size(&[], Err(ArgumentError::Missing("pipeID")));
        check_size(
            &[("pipeID", "p"), ("width", "80")],
            Err(ArgumentError::Missing("height")),
        );
        check_size(
            &[("pipeID", "p"), ("height", "x"), ("width", "80")],
            Err(ArgumentError::Bad("height")),
        );
        check_size(
            &[("pipeID", "p"), ("height", "24"), ("width", "70000")],
            Err(ArgumentError::Bad("width")),
        );
        check_size(
            &[("pipeID", "p"), ("height", "24"), ("width", "80")],
            Ok((24, 80)),
        );
        assert_eq!(
            Request::default().size(),
            Err(ArgumentError::Missing("pipeID"))
        );
    }
}
