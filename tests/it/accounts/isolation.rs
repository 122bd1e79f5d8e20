//! Two organisations that try to get at each other's data, at random: they read, watch, control, attach and guess. Both have
//! a probe and a terminal of the same names.

mod tenant;
mod tries;

use std::time::Instant;

use anyhow::ensure;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tests::{Sandbox, Topology};

use super::report;
use tenant::Tenant;
use tries::Attacker;

/// Requests of both together. `WEFT_REQUESTS` asks for more.
const REQUESTS: usize = 20_000;
/// What the random numbers begin with. `WEFT_SEED` asks for others.
const SEED: u64 = 1;
/// Attackers at once.
const AT_ONCE: usize = 8;
const ORGS: [&str; 2] = ["amber", "birch"];

fn asked<T: std::str::FromStr>(variable: &str, default: T) -> T {
    let asked = std::env::var(variable).ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// What one attacker saw.
#[derive(Default)]
struct Seen {
    requests: usize,
    bytes: usize,
    /// Answers with something of the asker's own.
    own: usize,
}

async fn attack(
    weft: &Sandbox,
    tenants: &[Tenant; 2],
    (requests, seed): (usize, u64),
) -> anyhow::Result<Seen> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut attackers = [
        Attacker::new(weft, &tenants[0], &tenants[1]),
        Attacker::new(weft, &tenants[1], &tenants[0]),
    ];
    let mut all = Seen::default();
    for n in 0..requests {
        let attacker = &mut attackers[usize::from(random.random_bool(0.5))];
        let (own, other) = (attacker.own.org, attacker.other.org);
        let (what, seen) = attacker.once(&mut random).await?;
        ensure!(
            !seen.contains(&format!("secret-of-{other}")),
            "seed {seed}, request {n}, {what}: {own} sees {other}: {seen}"
        );
        all.own += usize::from(seen.contains(&format!("secret-of-{own}")));
        all.bytes += seen.len();
        all.requests += 1;
    }
    Ok(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn organisations_learn_nothing_of_each_other() -> anyhow::Result<()> {
    let weft = Sandbox::strict(Topology::Direct, None).await?;
    let tenants = [
        Tenant::open(&weft, ORGS[0]).await?,
        Tenant::open(&weft, ORGS[1]).await?,
    ];
    let (requests, seed) = (asked("WEFT_REQUESTS", REQUESTS), asked("WEFT_SEED", SEED));
    println!("seed {seed}; WEFT_SEED={seed} WEFT_REQUESTS={requests} asks for the same again");
    let started = Instant::now();
    let share = requests.div_ceil(AT_ONCE);
    let attacks = (0..AT_ONCE as u64).map(|n| attack(&weft, &tenants, (share, seed + n)));
    let seen = futures_util::future::try_join_all(attacks).await?;
    let sum = |of: fn(&Seen) -> usize| seen.iter().map(of).sum::<usize>();
    let (requests, own) = (sum(|s| s.requests), sum(|s| s.own));
    ensure!(
        own > requests / 20,
        "{own} answers had anything in them: this proves nothing"
    );
    for tenant in &tenants {
        let status = report(&weft.address, &tenant.secret, "{}").await?;
        ensure!(status == 200, "{} lost its token: {status}", tenant.org);
        let calls = tenant.was_called_by_its_own().await?;
        ensure!(calls > 0, "no control ran: this proves nothing");
        println!(
            "{}: {calls} controls and all that was typed are its own",
            tenant.org
        );
    }
    println!(
        "{requests} requests in {:.1?}, {} bytes of answers, {own} with own data, 0 bytes of the other's",
        started.elapsed(),
        sum(|s| s.bytes)
    );
    Ok(())
}
