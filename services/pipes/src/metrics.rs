use std::time::Duration;

use prometheus::IntGauge;
use runtime::Runtime;

use crate::places::Places;

/// How often the gauge is brought up to date.
const EVERY: Duration = Duration::from_secs(5);

pub(crate) fn register(places: &Places, rt: &Runtime) -> Result<(), prometheus::Error> {
    let open = IntGauge::new("weft_pipes_open_pipes", "Pipes that this replica holds.")?;
    rt.registry.register(Box::new(open.clone()))?;
    let held = places.held.clone();
    rt.spawn("count pipes", async move {
        let mut tick = tokio::time::interval(EVERY);
        loop {
            tick.tick().await;
            open.set(i64::try_from(held.len()).unwrap_or(i64::MAX));
        }
    });
    Ok(())
}
