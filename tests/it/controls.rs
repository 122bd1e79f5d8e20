//! Controls and pipes: from a user through the edge to a probe, and back.

use std::time::Duration;

use anyhow::{anyhow, ensure};
use futures_util::SinkExt;
use proto::controls::v1 as controls_pb;
use proto::controls::v1::controls_service_client::ControlsServiceClient;
use proto::pipes::v1 as pb;
use proto::pipes::v1::pipes_service_client::PipesServiceClient;
use serde_json::json;
use tests::pipes::{announce, answer_with_pipes};
use tests::{fake_probe, http};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tonic::Code;

use crate::everywhere;

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn control_reaches_the_probe_and_its_answer_the_caller() -> anyhow::Result<()> {
    everywhere(async |weft| {
        let path = "/api/control/p1/h1%3B%3Chost%3E/host_exec";
        let refused = http::post(&weft.address, path, &[], "").await?;
        ensure!(refused.status == 400, "{}", refused.text());
        ensure!(refused.json() == "probe p1 is not connected right now");

        fake_probe::controls(&weft.address, "p1", |request| {
            if request["Control"] == "bad" {
                return json!({"error": "no such control"});
            }
            json!({"pipe": "pipe-1", "raw_tty": true, "value": request})
        })
        .await?;
        let answer = http::post(&weft.address, path, &[], r#"{"a":"b"}"#).await?;
        let result = answer.json();
        ensure!(
            result["pipe"] == "pipe-1" && result["raw_tty"] == true,
            "{result}"
        );
        ensure!(result["value"]["NodeID"] == "h1;<host>", "{result}");
        ensure!(result["value"]["ControlArgs"]["a"] == "b", "{result}");

        let mut controls = ControlsServiceClient::new(weft.channel());
        let request = controls_pb::InvokeRequest {
            probe_id: "p1".to_owned(),
            control: "bad".to_owned(),
            ..controls_pb::InvokeRequest::default()
        };
        let failed = controls.invoke(request).await;
        let status = failed.err().ok_or_else(|| anyhow!("it must fail"))?;
        ensure!(status.code() == Code::FailedPrecondition, "{status}");
        ensure!(status.message() == "no such control");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn pipe_carries_bytes_both_ways_until_it_is_closed() -> anyhow::Result<()> {
    everywhere(async |weft| {
        let address = &weft.address;
        answer_with_pipes(address).await?;
        announce(address, "pipe-2").await?;
        fake_probe::echo(address, "pipe-2")
            .await
            .map_err(|s| anyhow!("{s}"))?;
        let opened = fake_probe::open(address, "/api/pipe/pipe-2", &[]).await;
        let mut user = opened.map_err(|s| anyhow!("{s}"))?;
        user.send(Message::text("hello")).await?;
        let reply = timeout(SOON, fake_probe::next(&mut user)).await??;
        ensure!(reply == b"HELLO", "{reply:?}");

        let state = http::get(address, "/api/pipe/pipe-2/check").await?;
        ensure!(state.status == 204);
        let closed = http::post(address, "/api/pipe/pipe-2", &[], "").await?;
        ensure!(closed.status == 200);
        ensure!(timeout(SOON, fake_probe::next(&mut user)).await?.is_err());
        for path in ["/api/pipe/pipe-2", "/api/pipe/pipe-2/probe"] {
            let dead = fake_probe::open(address, path, &[]).await;
            ensure!(dead.err() == Some(404), "{path}");
        }
        ensure!(http::get(address, "/api/pipe/pipe-2/check").await?.status == 404);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn browser_reads_and_writes_a_pipe() -> anyhow::Result<()> {
    everywhere(async |weft| {
        answer_with_pipes(&weft.address).await?;
        announce(&weft.address, "pipe-3").await?;
        fake_probe::echo(&weft.address, "pipe-3")
            .await
            .map_err(|s| anyhow!("{s}"))?;
        let mut pipes = PipesServiceClient::new(weft.channel());
        let request = pb::ReadRequest {
            pipe_id: "pipe-3".to_owned(),
            from_offset: 0,
        };
        let mut output = pipes.read(request).await?.into_inner();
        for (sequence, data) in [(1, "one "), (2, "two "), (2, "two "), (3, "three")] {
            let request = pb::WriteRequest {
                pipe_id: "pipe-3".to_owned(),
                data: data.into(),
                writer_id: "w".to_owned(),
                sequence,
            };
            pipes.write(request).await?;
        }
        let mut read = Vec::new();
        while read.len() < 13 {
            let part = timeout(SOON, output.message()).await??;
            let part = part.ok_or_else(|| anyhow!("the pipe ended"))?;
            ensure!(part.offset == read.len() as u64, "{part:?}");
            read.extend_from_slice(&part.data);
        }
        ensure!(read == b"ONE TWO THREE", "{read:?}");
        Ok(())
    })
    .await
}
