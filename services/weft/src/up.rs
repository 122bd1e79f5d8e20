//! `weft up`: every service in this process.

use std::net::SocketAddr;

use anyhow::Context;
use axum::Router;
use client::{Channel, Key};
use runtime::{Mesh, Runtime, admin, serve};
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
    signals::cancel_on_signal(rt.shutdown.clone())?;

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
    listen(
        "private port",
        private,
        mesh.into_router(&rt).await.merge(admin::router(&rt)),
        &rt,
    );
    listen("public port", public, edge(&up.edge, peers, &rt)?, &rt);

    if !up.no_probe {
        probe::spawn(address, probe_token, &rt);
    }
    announce(address, trusted, to_query, !up.no_probe, &rt).await;
    rt.drained().await;
    Ok(())
}

/// The edge's router.
pub(crate) fn edge(edge: &Edge, peers: authfe::Peers, rt: &Runtime) -> anyhow::Result<Router> {
    let config = authfe::Config {
        app_id: app_id::open(&edge.data_dir)?,
        hostname: probe::hostname(),
        cors_origins: edge.cors_origins.clone(),
        trust_loopback: edge.trusts_loopback(),
        users_outage: edge.users_outage,
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
pub(crate) fn listen(name: &'static str, listener: TcpListener, router: Router, rt: &Runtime) {
    let serving = rt.clone();
    rt.spawn_draining(name, async move { serve(listener, router, &serving).await });
}

async fn announce(address: SocketAddr, trusted: bool, query: Channel, probing: bool, rt: &Runtime) {
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
    println!("Weft is ready: http://{address} ({seen}; Ctrl-C ends it)");
}
