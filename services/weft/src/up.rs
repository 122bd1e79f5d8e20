//! `weft up`: every service in this process.

use std::net::SocketAddr;

use anyhow::Context;
use axum::Router;
use client::{Channel, Key};
use runtime::{Listening, Mesh, Runtime, admin, serve};
use tokio::net::TcpListener;

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
    let config = users::Config {
        trust_loopback: trusted,
        probe_token: probe_token.clone(),
    };
    let users_store = up.users.open(&up.edge.data_dir, &rt).await?;
    let (users, operator) = users::start(config, users_store, &rt);
    let pipes = pipes::start(&rt)?;
    let controls = controls::start(&rt)?;
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
        users: runtime::local(users.clone(), &rt),
        collection: to_collection,
        query: to_query.clone(),
        controls: runtime::local(controls.clone(), &rt),
        pipes: runtime::local(pipes.clone(), &rt),
        open: runtime::open(&rt).await,
    };
    let mesh = Mesh::new()
        .with(users)
        .with(operator)
        .with(pipes)
        .with(controls)
        .with(collection)
        .with(query)
        .with(scope);
    let private_router = mesh.into_router(&rt).await.merge(admin::router(&rt));
    listen(private, private_router, Listening::new("private"), &rt);
    let router = edge(&up.edge, peers, &rt)?;
    let listening = up.edge.port.listening(trusted, &rt)?;
    if !up.no_probe {
        let own = own_port(address, &router, &listening, &rt).await?;
        probe::spawn(own, probe_token, &rt);
    }
    listen(public, router, listening, &rt);
    let address = format!("{}://{address}", up.edge.port.scheme());
    announce(&address, trusted, to_query, !up.no_probe, &rt).await;
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

/// The edge's router.
pub(crate) fn edge(edge: &Edge, peers: authfe::Peers, rt: &Runtime) -> anyhow::Result<Router> {
    let config = authfe::Config {
        app_id: app_id::open(&edge.data_dir)?,
        hostname: probe::hostname(),
        cors_origins: edge.cors_origins.clone(),
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

async fn announce(address: &str, trusted: bool, query: Channel, probing: bool, rt: &Runtime) {
    let seen = if probing {
        ready::wait_for_this_machine(query, rt).await
    } else {
        "waiting for probes".to_owned()
    };
    if !trusted {
        eprintln!(
            "weft: callers need a token. Make one for probes with `weft admin token create local probes`, and one for \
             people, who give it as password, with `weft admin token create local me --permissions view,view-secrets`"
        );
    }
    println!("Weft is ready: {address} ({seen}; Ctrl-C ends it)");
}
