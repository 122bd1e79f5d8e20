//! Three replicas in one process, over real connections: what passes between them, and what outlives one of them.

use std::time::Duration;

use bytes::Bytes;
use client::{Channel, Key, authorise};
use proto::pipes::v1 as pb;
use proto::pipes::v1::attach_request::Message;
use proto::pipes::v1::pipes_service_client::PipesServiceClient;
use proto::tenant::v1::Permission;
use runtime::{Listening, Mesh, Recorder, Runtime};
use stores::Ends;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};
use url::Url;

/// How long anything may take.
const SOON: Duration = Duration::from_secs(20);

struct Replica {
    rt: Runtime,
    client: PipesServiceClient<Channel>,
    key: Key,
}

/// An attachment.
struct End {
    up: mpsc::Sender<pb::AttachRequest>,
    down: Streaming<pb::AttachResponse>,
    send_from: u64,
}

async fn replicas() -> [Replica; 3] {
    let key = Key::generate();
    let rt = Runtime::new(runtime::Config::default(), key.clone());
    let url = Url::parse("memory:").expect("a URL");
    let ends = Ends::open(&url, &rt).await.expect("opened");
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(Replica::start(&ends, &key).await);
    }
    while ends.members().await.expect("listed").len() < 3 {
        tokio::task::yield_now().await;
    }
    all.try_into().unwrap_or_else(|_| panic!("three"))
}

impl Replica {
    async fn start(ends: &Ends, key: &Key) -> Replica {
        let rt = Runtime::new(runtime::Config::default(), key.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let config = pipes::Config {
            address: address.clone(),
            limits: pipes::Limits::default(),
        };
        let recorder = Recorder::nowhere(&rt).expect("the first");
        let (pipes, bridge) = pipes::start(config, ends.clone(), recorder, &rt).expect("started");
        let router = Mesh::new().with(pipes).with(bridge).into_router(&rt).await;
        let serving = rt.clone();
        tokio::spawn(async move {
            runtime::serve(listener, router, Listening::new("private"), &serving).await;
        });
        let channel = Channel::connect(address.parse().expect("an address"));
        Replica {
            rt,
            client: PipesServiceClient::new(channel),
            key: key.clone(),
        }
    }

    fn request<T>(&self, message: T, permission: Permission) -> Request<T> {
        self.request_of("opener", message, permission)
    }

    fn request_of<T>(&self, subject: &str, message: T, permission: Permission) -> Request<T> {
        authorise(
            Request::new(message),
            &self.key,
            "org",
            subject,
            &[permission],
        )
    }

    async fn announce(&self, pipe: &str) {
        let announced = pb::AnnounceRequest {
            pipe_id: pipe.to_owned(),
            permission: Permission::Exec.into(),
        };
        let request = self.request(announced, Permission::Exec);
        self.client
            .clone()
            .announce(request)
            .await
            .expect("announced");
    }

    async fn attach(&self, hello: pb::AttachHello) -> Result<End, Status> {
        self.attach_as("opener", hello).await
    }

    async fn attach_as(&self, subject: &str, hello: pb::AttachHello) -> Result<End, Status> {
        let permission = match hello.end() {
            pb::End::Probe => Permission::Report,
            _ => Permission::Exec,
        };
        let (up, receiver) = mpsc::channel(4);
        up.send(said(Some(Message::Hello(hello)), 0))
            .await
            .expect("room");
        let request = self.request_of(subject, ReceiverStream::new(receiver), permission);
        let mut down = self.client.clone().attach(request).await?.into_inner();
        let welcome = down.message().await?.and_then(|first| first.welcome);
        let welcome = welcome.expect("a welcome");
        assert_eq!(welcome.watches, subject != "opener");
        Ok(End {
            up,
            down,
            send_from: welcome.send_from,
        })
    }
}

fn said(message: Option<Message>, received: u64) -> pb::AttachRequest {
    pb::AttachRequest { message, received }
}

fn hello(end: pb::End, link: &str, resume: Option<pb::AttachResume>) -> pb::AttachHello {
    pb::AttachHello {
        pipe_id: "pipe-1".to_owned(),
        end: end.into(),
        link_id: link.to_owned(),
        resume,
    }
}

impl End {
    async fn send(&self, data: &'static str) {
        let data = Message::Data(Bytes::from(data));
        self.up.send(said(Some(data), 0)).await.expect("a way");
    }

    async fn passed_on(&self, received: u64) {
        self.up.send(said(None, received)).await.expect("a way");
    }

    /// The next data; what else comes is let go.
    async fn next(&mut self) -> pb::AttachResponse {
        loop {
            let next = timeout(SOON, self.down.message()).await.expect("in time");
            let next = next.expect("a message").expect("no end");
            if !next.data.is_empty() {
                return next;
            }
        }
    }

    /// Waits until the other side has said that it has so much.
    async fn until_received(&mut self, offset: u64) {
        loop {
            let next = timeout(SOON, self.down.message()).await.expect("in time");
            if next.expect("a message").expect("no end").received >= offset {
                return;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_meet_over_replicas_and_links_go_on() {
    let [a, b, c] = replicas().await;
    c.announce("pipe-1").await;
    let mut probe = a
        .attach(hello(pb::End::Probe, "p", None))
        .await
        .expect("attached");
    let mut user = b
        .attach(hello(pb::End::User, "u", None))
        .await
        .expect("attached");
    user.send("keys").await;
    let keys = probe.next().await;
    assert_eq!((&keys.data[..], keys.offset), (&b"keys"[..], 0));
    let written = keys.written.expect("whose it is");
    assert_eq!((&*written.writer_id, written.position), ("u", 4));
    probe.passed_on(4).await;
    user.until_received(4).await;
    probe.send("output").await;
    assert_eq!(user.next().await.data, "output");

    // The user's way breaks before it said that it has anything, and with bytes under way.
    drop(user);
    let resume = pb::AttachResume {
        sent_from: 4,
        sent_to: 8,
        read_from: 3,
        passed_on: Vec::new(),
    };
    let mut user = c
        .attach(hello(pb::End::User, "u", Some(resume)))
        .await
        .expect("attached");
    assert_eq!(user.send_from, 4);
    let rest = user.next().await;
    assert_eq!((&rest.data[..], rest.offset), (&b"put"[..], 3));
    user.send("more").await;
    assert_eq!(probe.next().await.data, "more");

    let other = Request::new(tokio_stream::iter([said(
        Some(Message::Hello(hello(pb::End::User, "x", None))),
        0,
    )]));
    let other = authorise(other, &b.key, "other", "test", &[Permission::Exec]);
    let refused = b.client.clone().attach(other).await;
    assert_eq!(
        refused.expect_err("another organisation").code(),
        Code::NotFound
    );
    let close = pb::ClosePipeRequest {
        pipe_id: "pipe-1".to_owned(),
        end: pb::End::Unspecified.into(),
    };
    let request = b.request(close, Permission::Logs);
    let refused = b.client.clone().close_pipe(request).await;
    assert_eq!(
        refused.expect_err("another permission").code(),
        Code::PermissionDenied
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_holder_leaves() {
    let [a, b, c] = replicas().await;
    b.announce("pipe-1").await;
    let probe = a
        .attach(hello(pb::End::Probe, "p", None))
        .await
        .expect("attached");
    let mut user = b
        .attach(hello(pb::End::User, "u", None))
        .await
        .expect("attached");
    probe.send("one two").await;
    assert_eq!(user.next().await.data, "one two");
    user.send("keys").await;
    a.rt.shutdown.cancel();
    let ended = loop {
        match timeout(SOON, user.down.message()).await.expect("in time") {
            Ok(Some(_)) => {}
            ended => break ended,
        }
    };
    assert_eq!(
        ended.expect_err("no end of the pipe").code(),
        Code::Unavailable
    );

    // The user read three bytes; the probe had passed on two key strokes and wrote more meanwhile.
    let resume = pb::AttachResume {
        sent_from: 0,
        sent_to: 4,
        read_from: 3,
        passed_on: Vec::new(),
    };
    let mut user = c
        .attach(hello(pb::End::User, "u", Some(resume)))
        .await
        .expect("attached");
    assert_eq!(user.send_from, 0);
    user.send("keys").await;
    let resume = pb::AttachResume {
        sent_from: 0,
        sent_to: 13,
        read_from: 0,
        passed_on: vec![pb::WriterPosition {
            writer_id: "u".to_owned(),
            position: 2,
        }],
    };
    let mut probe = b
        .attach(hello(pb::End::Probe, "p", Some(resume)))
        .await
        .expect("attached");
    assert_eq!(probe.send_from, 0);
    probe.send("one two three").await;
    assert_eq!(probe.next().await.data, "ys");
    let mut heard = Vec::new();
    while heard.len() < 10 {
        heard.extend_from_slice(&user.next().await.data);
    }
    assert_eq!(heard, b" two three");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_watches_from_any_replica() {
    let [a, b, c] = replicas().await;
    c.announce("pipe-1").await;
    let mut probe = a
        .attach(hello(pb::End::Probe, "p", None))
        .await
        .expect("attached");
    let user = a
        .attach(hello(pb::End::User, "u", None))
        .await
        .expect("attached");
    for (replica, link) in [(&a, "x"), (&b, "y")] {
        let mut other = replica
            .attach_as("other", hello(pb::End::User, link, None))
            .await
            .expect("attached");
        probe.send("output").await;
        assert_eq!(other.next().await.data, "output");
        other.send("keys").await;
        let ended = loop {
            match timeout(SOON, other.down.message()).await.expect("in time") {
                Ok(Some(_)) => {}
                ended => break ended,
            }
        };
        assert_eq!(ended.expect_err("refused").code(), Code::PermissionDenied);

        let get = || pb::GetPipeRequest {
            pipe_id: "pipe-1".to_owned(),
        };
        for (subject, may) in [("other", false), ("opener", true)] {
            let request = replica.request_of(subject, get(), Permission::Exec);
            let found = replica.client.clone().get_pipe(request).await;
            assert_eq!(found.expect("found").into_inner().may_write, may);
        }
        let write = pb::WriteRequest {
            pipe_id: "pipe-1".to_owned(),
            data: "keys".into(),
            writer_id: "w".to_owned(),
            sequence: 1,
        };
        let request = replica.request_of("other", write, Permission::Exec);
        let refused = replica.client.clone().write(request).await;
        assert_eq!(refused.expect_err("refused").code(), Code::PermissionDenied);
    }
    user.send("mine").await;
    assert_eq!(probe.next().await.data, "mine");
}
