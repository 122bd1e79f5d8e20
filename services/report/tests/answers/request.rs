//! Requests of Scope's HTTP API.

use report::options::Selection;

/// What a recorded request asks for.
#[derive(Debug)]
pub(crate) enum Request {
    Topologies(Selection),
    Topology(String, Selection),
    Node(String, Vec<u8>, Selection),
    Probes,
    HasReports,
    Details,
    Report,
    NotFound,
    Malformed,
}

impl Request {
    pub(crate) fn parse(path_and_query: &str) -> Self {
        let (path, query) = path_and_query
            .split_once('?')
            .unwrap_or((path_and_query, ""));
        if is_malformed(path) {
            return Request::Malformed;
        }
        let parts: Vec<Vec<u8>> = path.split('/').skip(1).map(unescape).collect();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match parts.as_slice() {
            [b"api"] => Request::Details,
            [b"api", b"report"] => Request::Report,
            [b"api", b"probes"] if query.split('&').any(|q| q.starts_with("sparse")) => {
                Request::HasReports
            }
            [b"api", b"probes"] => Request::Probes,
            [b"api", b"topology"] => Request::Topologies(selection(query)),
            [b"api", b"topology", id] => Request::Topology(text(id), selection(query)),
            [b"api", b"topology", id, node] => {
                Request::Node(text(id), node.to_vec(), selection(query))
            }
            _ => Request::NotFound,
        }
    }
}

fn selection(query: &str) -> Selection {
    let mut options: Vec<(String, Vec<String>)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let text = |s| String::from_utf8_lossy(&unescape(s)).into_owned();
        let (key, value) = (text(key), text(value));
        match options.iter_mut().find(|(k, _)| *k == key) {
            Some((_, values)) => values.push(value),
            None => options.push((key, vec![value])),
        }
    }
    let is_true = |key: &str| options.iter().any(|(k, v)| k == key && v[0] == "true");
    Selection {
        unfiltered: options.is_empty(),
        hide_command_line_arguments: is_true("hideCommandLineArguments"),
        hide_environment_variables: is_true("hideEnvironmentVariables"),
        options,
    }
}

fn is_malformed(path: &str) -> bool {
    let mut escapes = path.split('%').skip(1);
    escapes.any(|e| {
        !e.get(..2)
            .is_some_and(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))
    })
}

fn unescape(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        let hex = text
            .get(i + 1..i + 3)
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match (bytes[i], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                i += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        i += 1;
    }
    out
}
