//! Learns which containers, images and networks there are, and hears of changes.

use std::collections::HashMap;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, EventMessage, EventMessageTypeEnum};
use bollard::query_parameters::{
    EventsOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder, ListImagesOptions,
    ListNetworksOptions,
};
use futures_util::{Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::container::Container;
use super::image::{Image, bare_id};
use super::{Docker, MAX_CONTAINERS, State};
use crate::backoff::Backoff;

/// How often everything is asked for again; events tell of all that matters in between.
const REFRESH_EVERY: Duration = Duration::from_secs(60);
/// Events that can change what is reported of a container.
const EVENTS: [&str; 12] = [
    "create",
    "rename",
    "start",
    "die",
    "stop",
    "pause",
    "unpause",
    "restart",
    "update",
    "connect",
    "disconnect",
    "destroy",
];
/// Containers that are asked about at the same time.
const AT_ONCE: usize = 4;

/// Follows the engine, for ever.
pub(super) async fn run(docker: Docker, changes: mpsc::Sender<String>) {
    let mut backoff = Backoff::default();
    let mut told = false;
    loop {
        let start = Instant::now();
        let Err(error) = follow(&docker, &changes).await;
        // What was known is stale from now on.
        *docker.state() = State::default();
        if start.elapsed() > Duration::from_secs(10) {
            backoff.reset();
            told = false;
        }
        if !std::mem::replace(&mut told, true) {
            tracing::warn!(%error, "no containers: Docker does not answer");
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

/// Follows one connection until it fails.
async fn follow(
    docker: &Docker,
    changes: &mpsc::Sender<String>,
) -> Result<std::convert::Infallible, Error> {
    let mut docker = docker.clone();
    docker.client = docker.client.clone().negotiate_version().await?;
    let mut events = std::pin::pin!(events(&docker).peekable());
    // Events are asked for when they are first waited for: before the list, so that nothing changes unheard in between.
    tokio::select! {
        biased;
        _ = events.as_mut().peek() => refresh(&docker).await?,
        refreshed = refresh(&docker) => refreshed?,
    }
    tracing::info!(
        containers = docker.state().containers.len(),
        "containers found"
    );
    loop {
        let refreshed = docker.state().refreshed.unwrap_or_else(Instant::now);
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => changed(&docker, &event, changes).await?,
                Some(Err(error)) => return Err(error),
                None => return Err(Error::IOError { err: std::io::ErrorKind::UnexpectedEof.into() }),
            },
            () = tokio::time::sleep_until(refreshed + REFRESH_EVERY) => refresh(&docker).await?,
        }
    }
}

fn events(docker: &Docker) -> impl Stream<Item = Result<EventMessage, Error>> + use<> {
    let filters = HashMap::from([
        ("type", vec!["container", "network"]),
        ("event", EVENTS.to_vec()),
    ]);
    docker.client.events(Some(
        EventsOptionsBuilder::default().filters(&filters).build(),
    ))
}

/// Asks for everything.
async fn refresh(docker: &Docker) -> Result<(), Error> {
    let client = &docker.client;
    let options = ListContainersOptionsBuilder::default().all(true).build();
    let containers = client.list_containers(Some(options)).await?;
    if containers.len() > MAX_CONTAINERS {
        tracing::warn!(
            containers = containers.len(),
            "only {MAX_CONTAINERS} containers are reported"
        );
    }
    let ids = containers
        .into_iter()
        .filter_map(|summary| summary.id)
        .take(MAX_CONTAINERS);
    let inspected: Vec<_> = futures_util::stream::iter(ids)
        .map(|id| inspect(docker, id))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let images = client.list_images(None::<ListImagesOptions>).await?;
    let networks = client.list_networks(None::<ListNetworksOptions>).await?;

    let mut state = docker.state();
    let mut previous = std::mem::take(&mut state.containers);
    for inspected in inspected {
        let Some(inspected) = inspected? else {
            continue;
        };
        let known = inspected.id.as_ref().and_then(|id| previous.remove(id));
        if let Some(container) = Container::new(inspected, known) {
            state
                .containers
                .insert(container.id().to_owned(), container);
        }
    }
    state.images = images
        .into_iter()
        .map(|image| (bare_id(&image.id).to_owned(), Image::from(image)))
        .collect();
    let subnets = networks
        .into_iter()
        .filter_map(|network| network.ipam?.config)
        .flatten();
    state.networks = subnets.filter_map(|config| config.subnet).collect();
    state.refreshed = Some(Instant::now());
    Ok(())
}

/// Asks about one container; none when it is gone.
async fn inspect(docker: &Docker, id: String) -> Result<Option<ContainerInspectResponse>, Error> {
    match docker
        .client
        .inspect_container(&id, None::<InspectContainerOptions>)
        .await
    {
        Ok(inspected) => Ok(Some(inspected)),
        Err(Error::DockerResponseServerError {
            status_code: 404, ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Asks about the container that an event is about, and passes its id on.
async fn changed(
    docker: &Docker,
    event: &EventMessage,
    changes: &mpsc::Sender<String>,
) -> Result<(), Error> {
    let Some(id) = container_of(event) else {
        return Ok(());
    };
    let inspected = inspect(docker, id.clone()).await?;
    let is_new_image = {
        let mut state = docker.state();
        let previous = state.containers.remove(&id);
        let container = inspected.and_then(|inspected| Container::new(inspected, previous));
        let image = container
            .as_ref()
            .and_then(Container::image_id)
            .map(str::to_owned);
        if let Some(container) = container
            && state.containers.len() < MAX_CONTAINERS
        {
            state.containers.insert(id.clone(), container);
        }
        image.is_some_and(|image| !state.images.contains_key(&image))
    };
    if is_new_image {
        let images = docker.client.list_images(None::<ListImagesOptions>).await?;
        docker.state().images = images
            .into_iter()
            .map(|image| (bare_id(&image.id).to_owned(), Image::from(image)))
            .collect();
    }
    // When so many changes are waiting, the next regular report is soon enough for this one.
    let _ = changes.try_send(id);
    Ok(())
}

fn container_of(event: &EventMessage) -> Option<String> {
    let actor = event.actor.as_ref()?;
    match event.typ? {
        EventMessageTypeEnum::CONTAINER => actor.id.clone(),
        EventMessageTypeEnum::NETWORK => actor.attributes.as_ref()?.get("container").cloned(),
        _ => None,
    }
}
