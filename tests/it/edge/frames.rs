//! HTTP/2 by hand: frames that no well-behaved client sends.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// A frame's header and payload.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header block for GET with this path, of static names and plain values.
pub(super) fn get(path: &str, authority: &str) -> Vec<u8> {
    // :method GET, :scheme http; then :path and :authority by index, their values as they are.
    let mut block = vec![0x82, 0x86];
    for (name, value) in [(0x04, path), (0x01, authority)] {
        block.push(name);
        literal(&mut block, value);
    }
    block
}

/// A header of any name. Values have up to 126 bytes, which one byte of length can say.
pub(super) fn header(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    literal(block, name);
    literal(block, value);
}

fn literal(block: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).expect("short");
    assert!(length < 127, "longer lengths take more bytes");
    block.push(length);
    block.extend(text.as_bytes());
}

/// A connection on which anything can be sent.
pub(super) struct Raw(pub(super) TcpStream);

#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Raw {
    /// Connects, with these settings as (identifier, value).
    pub(super) async fn connect(address: &str, settings: &[(u16, u32)]) -> anyhow::Result<Raw> {
        let mut stream = TcpStream::connect(address).await?;
        let mut payload = Vec::new();
        for (identifier, value) in settings {
            payload.extend(identifier.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        stream.write_all(PREFACE).await?;
        stream.write_all(&frame(SETTINGS, 0, 0, &payload)).await?;
        Ok(Raw(stream))
    }

    /// The next frame; none when the connection has ended.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).ok()?];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Frame {
            kind: head[3],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
            payload,
        })
    }

    /// Sends what `chunk` makes until the server ends the connection or there have been `most` chunks; how many, and the
    /// code of its GOAWAY if it said one. What the server says meanwhile is read.
    pub(super) async fn flood(
        self,
        most: u32,
        mut chunk: impl FnMut(u32) -> Vec<u8>,
    ) -> (u32, Option<u32>) {
        let (read, mut write) = self.0.into_split();
        let mut heard = RawHalf(read);
        let reading = async {
            let mut code = None;
            while let Some(frame) = heard.next().await {
                if frame.0 == GOAWAY && frame.1.len() >= 8 {
                    let bytes = [frame.1[4], frame.1[5], frame.1[6], frame.1[7]];
                    code = Some(u32::from_be_bytes(bytes));
                }
            }
            code
        };
        let mut sent = 0;
        let writing = async {
            while sent < most && write.write_all(&chunk(sent)).await.is_ok() {
                sent += 1;
            }
            // Keeps this side open for what the server has to say.
            std::future::pending::<()>().await;
        };
        let code = tokio::select! {
            code = reading => code,
            () = writing => None,
            () = tokio::time::sleep(super::PATIENCE) => None,
        };
        (sent, code)
    }
}

struct RawHalf(tokio::net::tcp::OwnedReadHalf);

impl RawHalf {
    async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).ok()?];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((head[3], payload))
    }
}
