//! Answers, for people and for programs.

use prost_types::Timestamp;
use proto::users::v1 as pb;
use serde_json::{Map, Value, json};

use super::names;

/// An answer in both forms.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) json: Value,
}

impl Shown {
    /// Nothing to say but that it is done.
    pub(super) fn done(text: String) -> Self {
        Shown {
            text: format!("{text}\n"),
            json: json!({}),
        }
    }

    /// Rows under a heading, columns aligned.
    pub(super) fn table(heading: &[&str], rows: &[Vec<String>], json: Value) -> Self {
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let cells = cells.map(|cell| cell.chars().count());
            cells.chain([heading[column].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..heading.len()).map(width).collect();
        let heading: Vec<String> = heading.iter().map(|&cell| cell.to_owned()).collect();
        let mut text = String::new();
        for row in std::iter::once(&heading).chain(rows) {
            let cells = row.iter().zip(&widths);
            let line: Vec<String> = cells
                .map(|(cell, &width)| format!("{cell:width$}"))
                .collect();
            text.push_str(line.join("  ").trim_end());
            text.push('\n');
        }
        Shown { text, json }
    }
}

/// A date as RFC 3339 spells it, to the second.
pub(super) fn date(at: Option<&Timestamp>) -> String {
    let whole = at.map(|at| Timestamp { nanos: 0, ..*at });
    whole.map_or_else(String::new, |at| at.to_string())
}

/// Members that say nothing are left out, as protobuf's JSON does.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let said = members.into_iter().filter(|(_, value)| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    });
    Value::Object(
        said.map(|(name, value)| (name.to_owned(), value))
            .collect::<Map<_, _>>(),
    )
}

pub(super) fn organisation(organisation: &pb::Organisation) -> Value {
    let refusal = organisation.refusal.as_ref().map(|refusal| {
        object([
            ("access", refusal.access.into()),
            ("upload", refusal.upload.into()),
            ("reason", refusal.reason.as_str().into()),
        ])
    });
    object([
        ("id", organisation.id.as_str().into()),
        ("name", organisation.name.as_str().into()),
        ("createdAt", date(organisation.created_at.as_ref()).into()),
        ("deletedAt", date(organisation.deleted_at.as_ref()).into()),
        ("refusal", refusal.unwrap_or_default()),
    ])
}

pub(super) fn role(role: pb::Role) -> String {
    role.as_str_name()
        .trim_start_matches("ROLE_")
        .to_lowercase()
}

pub(super) fn member(member: &pb::Member) -> Value {
    let user = member.user.clone().unwrap_or_default();
    object([
        ("userId", user.id.into()),
        ("email", user.email.into()),
        ("name", user.name.into()),
        ("role", role(member.role()).into()),
        ("permissions", names(&member.permissions).into()),
    ])
}

pub(super) fn token(token: &pb::Token) -> Value {
    object([
        ("id", token.id.as_str().into()),
        ("name", token.name.as_str().into()),
        ("permissions", names(&token.permissions).into()),
        ("userId", token.user_id.as_str().into()),
        ("createdBy", token.created_by.as_str().into()),
        ("createdAt", date(token.created_at.as_ref()).into()),
        ("lastUsedAt", date(token.last_used_at.as_ref()).into()),
        ("expiresAt", date(token.expires_at.as_ref()).into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_dates_short() {
        let rows = [
            vec!["a".to_owned(), "b".to_owned()],
            vec!["long".to_owned(), String::new()],
        ];
        let shown = Shown::table(&["ID", "NAME"], &rows, Value::Null);
        assert_eq!(shown.text, "ID    NAME\na     b\nlong\n");
        let at = Timestamp {
            seconds: 1_700_000_000,
            nanos: 5,
        };
        assert_eq!(date(Some(&at)), "2023-11-14T22:13:20Z");
        assert_eq!(date(None), "");
    }
}
