//! The system tests, in one binary.

mod accounts;
mod cluster;
mod controls;
mod crates;
mod damage;
mod durability;
mod edge;
mod fault_proxy;
mod help;
mod hostile;
mod outages;
mod past;
mod pipes;
mod recorded;
mod replicas;
mod servers;
mod stores;
mod tenants;
mod throttle;
mod vectors;
mod views;
mod whole_process;

use tests::{Sandbox, Topology};

/// Runs a scenario on a Weft of its own in each topology.
async fn everywhere<F>(scenario: F) -> anyhow::Result<()>
where
    F: AsyncFn(&Sandbox) -> anyhow::Result<()>,
{
    for topology in [Topology::Direct, Topology::Http2, Topology::Processes] {
        let sandbox = Sandbox::start(topology).await?;
        scenario(&sandbox)
            .await
            .map_err(|error| error.context(format!("in topology {topology:?}")))?;
    }
    Ok(())
}
