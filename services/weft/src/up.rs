//! `weft up`: every service in this process.

use std::net::SocketAddr;

use anyhow::Context;
use axum::Router;
use client::{Channel, Key};
use runtime::{Listening, Mesh, Recorder, Runtime, admin, serve};
use tokio::net::TcpListener;
use url::Url;

use crate::args::{Edge, Up};
use crate::{app_id, probe, ready, signals};

pub(crate) async fn run(up: Up) -> anyhow::Result<()> {
    let public = bind(up.edge.listen, "--listen").await?;
    let private = bind(up.edge.admin_listen, "--admin-listen").await?;
    let address = public.local_addr()?;
    let key = Key::open(&up.edge.data_dir.join("assertion.key"))?;
    let config = runtime::Config {
        wiring: up.wiring.into(),
        ..runtime::Config::default()
    };
    let rt = Runtime::new(config, key);
    signals::leave_on_signal(&rt, up.edge.drain_delay)?;

    // In the order of who calls whom.
    let trusted = up.edge.trusts_loopback();
    // The probe of this process needs no token that anybody would have to make.
    let probe_token = (!trusted).then(users::Secret::generate);
    let site = site(&up.edge, address)?;
    let config = users::Config {
        trust_loopback: trusted,
        probe_token: probe_token.clone(),
        login: up.login.config(site)?,
    };
    let users_store = up.users.open(&up.edge.data_dir, &rt).await?;
    let users = users::start(config, users_store, &rt);
    let config = up.pipes.config(private.local_addr()?)?;
    let recorder = Recorder::start(runtime::local(users.audit.clone(), &rt), &rt)?;
    let ends = up.pipes.open(&rt).await?;
    let (pipes, bridge) = pipes::start(config, ends, recorder.clone(), &rt)?;
    let to_pipes = runtime::local(pipes.clone(), &rt);
    let to_others = controls::Peers {
        recorder,
        pipes: Some(to_pipes.clone()),
    };
    let controls = up.controls.start(to_others, &rt).await?;
    let stores = up.stores.open(&up.edge.data_dir, &rt).await?;
    let keep = up.keep.config(&up.edge.data_dir);
    let collection = collection::start(keep, stores.clone().into(), &rt)?;
    let to_collection = runtime::local(collection.clone(), &rt);
    let sources = query::Peers {
        collection: vec![to_collection.clone()],
        archive: stores.archive,
        shortcuts: stores.shortcuts,
    };
    let (query, scope) = query::start(query::Config::default(), sources, &rt)?;
    let to_query = runtime::local_pair(query.clone(), scope.clone(), &rt);
    let peers = authfe::Peers {
        users: runtime::local_pair(users.users.clone(), users.logins.clone(), &rt),
        collection: to_collection,
        query: to_query.clone(),
        controls: runtime::local(controls.clone(), &rt),
        pipes: to_pipes,
        open: runtime::open(&rt).await,
    };
    let mesh = Mesh::new()
        .with(users.users.clone())
        .with(users.logins)
        .with(users.operator.clone())
        .with(users.audit)
        .with(pipes)
        .with(bridge)
        .with(controls)
        .with(collection)
        .with(query)
        .with(scope);
    let edge = edge(&up.edge, peers, &rt)?;
    let services = mesh.into_router(&rt).await;
    let private_router = services.merge(admin::router(&rt)).merge(edge.private);
    listen(private, private_router, Listening::new("private"), &rt);
    let router = edge.public;
    let listening = up.edge.port.listening(trusted, &rt)?;
    if !up.no_probe {
        let own = own_port(address, &router, &listening, &rt).await?;
        probe::spawn(own, probe_token, &rt);
    }
    listen(public, router, listening, &rt);
    if !trusted {
        ready::invite(runtime::local_pair(users.users, users.operator, &rt), &rt).await;
    }
    let address = origin(&up.edge, address);
    announce(&address, to_query, !up.no_probe, &rt).await;
    rt.drained().await;
    Ok(())
}

/// Where the probe of this process reaches the edge: on the public port, or on one of its own if that demands TLS or a PROXY
/// header.
async fn own_port(
    public: SocketAddr,
    router: &Router,
    listening: &Listening,
    rt: &Runtime,
) -> anyhow::Result<SocketAddr> {
    if listening.tls.is_none() && !listening.proxies.introduce() {
        return Ok(public);
    }
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let own = Listening {
        public: true,
        ..Listening::new("own")
    };
    listen(listener, router.clone(), own, rt);
    Ok(address)
}

/// What this site is called by the address that it listens on.
fn origin(edge: &Edge, address: SocketAddr) -> String {
    format!("{}://{address}", edge.port.scheme())
}

/// What this site is called: as it was told, or by its address, if people may log in there.
fn site(edge: &Edge, address: SocketAddr) -> anyhow::Result<Option<Url>> {
    Ok(match &edge.site.public_url {
        Some(url) => Some(url.clone()),
        None if address.ip().is_loopback() => Some(Url::parse(&origin(edge, address))?),
        None => None,
    })
}

/// The edge's routers.
pub(crate) fn edge(
    edge: &Edge,
    peers: authfe::Peers,
    rt: &Runtime,
) -> anyhow::Result<authfe::Routers> {
    let config = authfe::Config {
        app_id: app_id::open(&edge.data_dir)?,
        hostname: probe::hostname(),
        cors_origins: edge.cors_origins.clone(),
        public_url: edge.site.public_url.clone(),
        trust_loopback: edge.trusts_loopback(),
        users_outage: edge.users_outage,
        events: edge.events.clone(),
        limits: edge.port.limits(),
        ..authfe::Config::default()
    };
    Ok(authfe::start(config, peers, rt))
}

pub(crate) async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose another with {flag}"))
}

/// Serves until shutdown.
pub(crate) fn listen(listener: TcpListener, router: Router, listening: Listening, rt: &Runtime) {
    let (name, serving) = (listening.name, rt.clone());
    rt.spawn_draining(name, async move {
        serve(listener, router, listening, &serving).await;
    });
}

async fn announce(address: &str, query: Channel, probing: bool, rt: &Runtime) {
    let seen = if probing {
        ready::wait_for_this_machine(query, rt).await
    } else {
        "waiting for probes".to_owned()
    };
    println!("Weft is ready: {address} ({seen}; Ctrl-C ends it)");
}
