//! What Scope's own app answered to recorded requests, compared with what we answer.
//!
//! `ANSWERS_ONLY=<scenario>` and `ANSWERS_SHOW=<n>` narrow the run and lengthen what it says.

#[path = "answers/compare.rs"]
mod compare;
#[path = "answers/differences.rs"]
mod differences;
#[path = "answers/place.rs"]
mod place;
#[path = "answers/replay.rs"]
mod replay;
#[path = "answers/request.rs"]
mod request;

use std::path::Path;

use differences::Differences;
use replay::Scenario;

#[test]
fn answers_equal_the_recorded_ones() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut differences = Differences::load(&root.join("tests/compat/differences.json"));
    let only = std::env::var("ANSWERS_ONLY").unwrap_or_default();
    let show = std::env::var("ANSWERS_SHOW")
        .ok()
        .and_then(|n| n.parse().ok());
    let mut names: Vec<_> = std::fs::read_dir(root.join("tests/corpus"))
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("scenario.json").exists())
        .filter(|path| path.to_string_lossy().contains(&only))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no scenario");

    let mut failed = 0;
    for path in names {
        let mut scenario = Scenario::load(&path);
        let outcome = scenario.run(&mut differences);
        println!(
            "{}: {} equal, {} differ, {} not ours",
            scenario.name,
            outcome.equal,
            outcome.failures.len(),
            outcome.skipped,
        );
        for failure in outcome.failures.iter().take(show.unwrap_or(5)) {
            println!("{failure}");
        }
        failed += outcome.failures.len();
    }
    for (reason, count) in differences.used() {
        println!("intended, {count} places: {reason}");
    }
    assert_eq!(failed, 0, "answers that differ");
}
