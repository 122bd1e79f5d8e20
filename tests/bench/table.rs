//! What is printed.

use crate::Measured;

pub(crate) fn print(measured: &Measured) {
    let Measured {
        name,
        ingested,
        viewed,
        peak,
    } = measured;
    println!("\n{name}");
    println!(
        "  ingest: {:.0} reports/s, {:.2} ms CPU per report",
        ingested.per_second, ingested.cpu_ms
    );
    println!(
        "  {:<32} {:>8} {:>8} {:>8} {:>12}",
        "view", "p50 ms", "max ms", "CPU ms", "bytes"
    );
    for view in viewed {
        println!(
            "  {:<32} {:>8.1} {:>8.1} {:>8.1} {:>12}",
            view.path, view.p50_ms, view.max_ms, view.cpu_ms, view.bytes
        );
    }
    println!("  peak resident: {} MB", peak / 1_000_000);
}

/// How many times as much the other one takes.
pub(crate) fn print_ratios(ours: &Measured, other: &Measured) {
    println!("\n{} / {}", other.name, ours.name);
    let line = |what: &str, ours: f64, other: f64| println!("  {what:<40} {:>8.1}", other / ours);
    line(
        "CPU per report",
        ours.ingested.cpu_ms,
        other.ingested.cpu_ms,
    );
    for (a, b) in ours.viewed.iter().zip(&other.viewed) {
        line(&format!("CPU, {}", a.path), a.cpu_ms, b.cpu_ms);
        line(&format!("p50, {}", a.path), a.p50_ms, b.p50_ms);
    }
    line("peak resident", ours.peak as f64, other.peak as f64);
}
