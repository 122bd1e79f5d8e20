//! What containers use of the machine.

use std::time::SystemTime;

use bollard::models::ContainerStatsResponse;
use bollard::query_parameters::StatsOptionsBuilder;
use futures_util::StreamExt as _;
use tokio::time::{MissedTickBehavior, interval};

use super::Docker;
use crate::report::Metric;

/// Containers that are asked about at the same time.
const AT_ONCE: usize = 4;

/// Usage of one container since the last report.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage {
    pub(super) cpu: Metric,
    pub(super) memory: Metric,
    pub(super) memory_limit: f64,
    last: Option<Times>,
}

/// Nanoseconds of processors: the container's, and those of the machine.
#[derive(Clone, Copy, Debug)]
struct Times {
    own: u64,
    machine: u64,
}

impl Usage {
    fn record(&mut self, stats: &ContainerStatsResponse, now: SystemTime) {
        if let Some(cpu) = &stats.cpu_stats
            && let Some(own) = cpu.cpu_usage.as_ref().and_then(|usage| usage.total_usage)
            && let Some(machine) = cpu.system_cpu_usage
        {
            let times = Times { own, machine };
            if let Some(last) = self.last.replace(times) {
                let machine = times.machine.saturating_sub(last.machine);
                if machine > 0 {
                    let share = times.own.saturating_sub(last.own) as f64 / machine as f64;
                    self.cpu.push(now, (share * 100.0).min(100.0));
                }
            }
        }
        if let Some(memory) = &stats.memory_stats
            && let Some(usage) = memory.usage
        {
            // Pages of files that nobody uses are the machine's to take back, not the container's need.
            let field = |name: &str| {
                memory
                    .stats
                    .as_ref()
                    .and_then(|stats| stats.get(name).copied())
            };
            let idle = field("inactive_file")
                .or_else(|| field("total_inactive_file"))
                .unwrap_or(0);
            self.memory_limit = memory.limit.unwrap_or(usage) as f64;
            self.memory.push(now, usage.saturating_sub(idle) as f64);
        }
    }
}

/// Asks about each running container once per report, for ever.
pub(super) async fn run(docker: Docker) {
    let mut tick = interval(docker.settings.interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let running: Vec<String> = {
            let state = docker.state();
            state
                .containers
                .values()
                .filter(|c| c.is_running())
                .map(|c| c.id().to_owned())
                .collect()
        };
        let docker = &docker;
        futures_util::stream::iter(running)
            .for_each_concurrent(AT_ONCE, |id| async move {
                let options = StatsOptionsBuilder::default()
                    .stream(false)
                    .one_shot(true)
                    .build();
                let mut answers = std::pin::pin!(docker.client.stats(&id, Some(options)));
                // A container that just ended has none.
                if let Some(Ok(stats)) = answers.next().await
                    && let Some(container) = docker.state().containers.get_mut(&id)
                {
                    container.usage.record(&stats, SystemTime::now());
                }
            })
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(own: u64, machine: u64) -> ContainerStatsResponse {
        let json = serde_json::json!({
            "cpu_stats": {"cpu_usage": {"total_usage": own}, "system_cpu_usage": machine},
            "memory_stats": {"usage": 1000, "limit": 4000, "stats": {"inactive_file": 300}},
        });
        serde_json::from_value(json).expect("stats")
    }

    #[test]
    fn usage_is_a_share_of_the_machine() {
        let mut usage = Usage::default();
        let now = SystemTime::UNIX_EPOCH;
        usage.record(&stats(100, 1_000), now);
        usage.record(&stats(150, 1_200), now);
        usage.record(&ContainerStatsResponse::default(), now);
        assert_eq!(usage.cpu.samples, [(now, 25.0)]);
        assert_eq!(usage.memory.samples, [(now, 700.0), (now, 700.0)]);
        assert_eq!(usage.memory_limit, 4000.0);
    }
}
