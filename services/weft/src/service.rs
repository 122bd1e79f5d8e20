//! One service by itself, its peers behind addresses.

use std::net::SocketAddr;

use client::{Channel, Key};
use runtime::{Listening, Mesh, Recorder, Runtime, admin};
use tokio::net::TcpListener;

use crate::args::{Authfe, Collection, Controls, Migrate, Pipes, Query, Service, Users};
use crate::{signals, up};

pub(crate) async fn users(args: Users) -> anyhow::Result<()> {
    let rt = start(&args.service)?;
    let store = args.store.open(&args.data_dir, &rt).await?;
    let config = users::Config {
        login: args.login.config(args.site.public_url)?,
        ..users::Config::default()
    };
    let users = users::start(config, store, &rt);
    let mesh = Mesh::new()
        .with(users.users)
        .with(users.logins)
        .with(users.operator)
        .with(users.audit);
    serve("users", args.service.listen, mesh, &rt).await
}

pub(crate) async fn migrate(args: Migrate) -> anyhow::Result<()> {
    let rt = Runtime::new(runtime::Config::default(), Key::generate());
    let steps = args.store.migrate(&args.data_dir, &rt).await?;
    match &steps[..] {
        [] => println!("the schema is up to date"),
        steps => println!("done: {}", steps.join(", ")),
    }
    Ok(())
}

pub(crate) async fn collection(args: Collection) -> anyhow::Result<()> {
    let rt = start(&args.service)?;
    let stores = args.stores.open(&args.data_dir, &rt).await?;
    let config = args.keep.config(&args.data_dir);
    let service = collection::start(config, stores.into(), &rt)?;
    let mesh = Mesh::new().with(service);
    serve("collection", args.service.listen, mesh, &rt).await
}

pub(crate) async fn query(args: Query) -> anyhow::Result<()> {
    let rt = start(&args.service)?;
    let stores = args.stores.open(&args.data_dir, &rt).await?;
    let peers = query::Peers {
        collection: args.collection.into_iter().map(Channel::connect).collect(),
        archive: stores.archive,
        shortcuts: stores.shortcuts,
    };
    let (query, scope) = query::start(query::Config::default(), peers, &rt)?;
    let mesh = Mesh::new().with(query).with(scope);
    serve("query", args.service.listen, mesh, &rt).await
}

pub(crate) async fn controls(args: Controls) -> anyhow::Result<()> {
    let rt = start(&args.service)?;
    let peers = controls::Peers {
        recorder: Recorder::start(Channel::connect_any(args.users), &rt)?,
        pipes: (!args.pipes.is_empty()).then(|| Channel::connect_any(args.pipes)),
    };
    let mesh = Mesh::new().with(args.controls.start(peers, &rt).await?);
    serve("controls", args.service.listen, mesh, &rt).await
}

pub(crate) async fn pipes(args: Pipes) -> anyhow::Result<()> {
    let rt = start(&args.service)?;
    // Others are told where this replica is before it serves.
    let listener = up::bind(args.service.listen, "--listen").await?;
    let config = args.pipes.config(listener.local_addr()?)?;
    let ends = args.pipes.open(&rt).await?;
    let recorder = Recorder::start(Channel::connect_any(args.users), &rt)?;
    let (pipes, bridge) = pipes::start(config, ends, recorder, &rt)?;
    let mesh = Mesh::new().with(pipes).with(bridge);
    serve_on("pipes", listener, mesh, &rt).await
}

pub(crate) async fn authfe(args: Authfe) -> anyhow::Result<()> {
    let rt = Runtime::new(runtime::Config::default(), Key::open(&args.key_file)?);
    signals::leave_on_signal(&rt, args.edge.drain_delay)?;
    let public = up::bind(args.edge.listen, "--listen").await?;
    let private = up::bind(args.edge.admin_listen, "--admin-listen").await?;
    let address = public.local_addr()?;
    let peers = authfe::Peers {
        users: Channel::connect(args.users),
        collection: Channel::connect_any(args.collection),
        query: Channel::connect_any(args.query),
        controls: Channel::connect_any(args.controls),
        pipes: Channel::connect_wide(args.pipes),
        open: runtime::open(&rt).await,
    };
    let edge = up::edge(&args.edge, peers, &rt)?;
    let listening = args.edge.port.listening(args.edge.trusts_loopback(), &rt)?;
    let private_router = admin::router(&rt).merge(edge.private);
    up::listen(private, private_router, Listening::new("private"), &rt);
    up::listen(public, edge.public, listening, &rt);
    println!("authfe is ready: {}://{address}", args.edge.port.scheme());
    rt.drained().await;
    Ok(())
}

fn start(args: &Service) -> anyhow::Result<Runtime> {
    let rt = Runtime::new(runtime::Config::default(), Key::open(&args.key_file)?);
    signals::cancel_on_signal(rt.shutdown.clone())?;
    Ok(rt)
}

async fn serve(
    name: &'static str,
    address: SocketAddr,
    mesh: Mesh,
    rt: &Runtime,
) -> anyhow::Result<()> {
    let listener = up::bind(address, "--listen").await?;
    serve_on(name, listener, mesh, rt).await
}

async fn serve_on(
    name: &'static str,
    listener: TcpListener,
    mesh: Mesh,
    rt: &Runtime,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let router = mesh.into_router(rt).await.merge(admin::router(rt));
    up::listen(listener, router, Listening::new("private"), rt);
    println!("{name} is ready: http://{address}");
    rt.drained().await;
    Ok(())
}
