//! Calling any RPC by its name, with a message of bytes.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use tests::Sandbox;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Request, Status};

use super::callers::Caller;

/// How long an answer may take; a stream that says nothing for so long was let in.
const SILENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// The code that an RPC is answered with, up to the first message of its answer.
pub(super) async fn call(
    weft: &Sandbox,
    rpc: &str,
    message: Vec<u8>,
    caller: &Caller,
) -> anyhow::Result<Code> {
    let path: PathAndQuery = format!("/weft.{rpc}").parse()?;
    let mut request = Request::new(tokio_stream::iter([Bytes::from(message)]));
    for (name, value) in &caller.headers {
        let name: tonic::metadata::AsciiMetadataKey = name.parse()?;
        request.metadata_mut().insert(name, value.parse()?);
    }
    let answer = async {
        let mut client = Grpc::new(weft.channel());
        client.ready().await?;
        let answer = client.streaming(request, path, Raw).await?;
        answer.into_inner().message().await
    };
    Ok(match timeout(SILENCE, answer).await {
        Err(_) | Ok(Ok(_)) => Code::Ok,
        Ok(Err(status)) => status.code(),
    })
}
