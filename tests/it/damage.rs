//! Flipped bits: each is told, and costs the block or the record that it is in and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use proto::storage::v1::ReportHeader;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use stores::archive::{Archive, Object, ObjectWriter, report_name};
use tests::load::{Made, ORGS};
use tests::{Audit, Collection, Keep};

const SEED: u64 = 1;
/// So many, or `WEFT_FLIPS`.
const FLIPS: usize = 1_000;
const OBJECTS: u64 = 50;
/// Reports of each organisation in each slice of 15 s, and slices in an object.
const REPORTS: u64 = 3;
const SLICES: u64 = 2;
const SECOND: i64 = 1_000_000_000;
const FIRST: i64 = 1_800_000_000 * SECOND;
const SPAN: i64 = 60 * SECOND;

/// An object of each minute.
fn object(n: u64) -> anyhow::Result<Object> {
    let mut writer = ObjectWriter::new()?;
    for (org, numbers) in ORGS.iter().zip(0..) {
        for i in 0..REPORTS * SLICES {
            let slice = i / REPORTS;
            let number = (n * 3 + numbers) * REPORTS * SLICES + i;
            let header = ReportHeader {
                writer: 7,
                number,
                received_unix_nanos: FIRST + n as i64 * SPAN + (slice * 15 + i) as i64 * SECOND,
                ..ReportHeader::default()
            };
            writer.push(org, header, &Made(number).padded(40))?;
        }
    }
    Ok(writer.finish("reports/", &format!("object-{n:04}"))?)
}

/// The blocks of an object: whose, where, and from when until when.
async fn blocks(archive: &Archive, n: u64) -> anyhow::Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let from = FIRST + n as i64 * SPAN;
    for org in ORGS {
        for row in archive.rows(org, from, from + SPAN).await? {
            blocks.extend(row.blocks.iter().map(|block| Block {
                org,
                bytes: block.offset..block.offset + block.bytes,
                time: block.first_unix_nanos..block.last_unix_nanos + 1,
            }));
        }
    }
    Ok(blocks)
}

struct Block {
    org: &'static str,
    bytes: std::ops::Range<u64>,
    time: std::ops::Range<i64>,
}

fn flip(path: &Path, bit: u64) -> anyhow::Result<()> {
    let mut bytes = fs::read(path)?;
    bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
    Ok(fs::write(path, bytes)?)
}

#[tokio::test]
async fn flipped_bit_of_an_object_costs_its_block_alone() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let keep = Keep {
        objects: format!("file://{}", dir.path().display()).parse()?,
        index: "memory:".parse()?,
    };
    let archive = keep.archive().await?;
    let mut all = Vec::new();
    for n in 0..OBJECTS {
        let object = object(n)?;
        archive.put(&object).await?;
        all.push((dir.path().join(&object.key), blocks(&archive, n).await?));
    }
    let flips = std::env::var("WEFT_FLIPS").map_or(Ok(FLIPS), |n| n.parse())?;
    let passes = flips.div_ceil(OBJECTS as usize);
    let flips = passes * OBJECTS as usize;
    let mut random = StdRng::seed_from_u64(SEED);
    let mut told = 0;
    for _ in 0..passes {
        // Blocks that were read before are remembered; a damaged one would not be looked at.
        let archive = Archive::new(archive.objects().clone(), archive.index().clone());
        let mut flipped = Vec::new();
        for (path, blocks) in &all {
            let bit = random.random_range(0..8 * fs::metadata(path)?.len());
            let hit = blocks.iter().find(|b| b.bytes.contains(&(bit / 8)));
            flipped.push((path, bit, hit.context("every byte is in a block")?));
            flip(path, bit)?;
        }
        for org in ORGS {
            let found = archive.reports(org, FIRST, FIRST + OBJECTS as i64 * SPAN);
            let found = found.await?;
            let hit: Vec<_> = flipped.iter().filter(|(.., b)| b.org == org).collect();
            ensure!(found.damaged.len() == hit.len(), "{:?}", found.damaged);
            told += hit.len();
            let expected = (OBJECTS * REPORTS * SLICES) as usize - hit.len() * REPORTS as usize;
            ensure!(found.reports.len() == expected, "{}", found.reports.len());
            for report in &found.reports {
                let at = report.header.received_unix_nanos;
                let damaged = hit.iter().any(|(.., block)| block.time.contains(&at));
                let name = report_name(&report.header);
                ensure!(!damaged, "{name} comes from a damaged block");
                let body = Made(report.header.number).padded(40);
                ensure!(report.body == body, "{name} says something else");
            }
        }
        for (path, bit, _) in flipped {
            flip(path, bit)?;
        }
    }
    println!("flipped {flips} bits of {OBJECTS} objects with seed {SEED}, told {told}");
    ensure!(told == flips, "{told} of {flips} were told");
    Ok(())
}

const SEGMENTS: usize = 10;
const PER_SEGMENT: usize = 6;
const ROUNDS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(60);
/// What begins a record, and is in no body here.
const MAGIC: &[u8] = b"WREC";

/// Where the records of a segment begin.
fn records(segment: &[u8]) -> Vec<usize> {
    let starts = segment.windows(MAGIC.len()).enumerate();
    starts
        .filter(|(_, w)| *w == MAGIC)
        .map(|(i, _)| i)
        .collect()
}

#[tokio::test]
async fn flipped_bit_of_the_log_costs_its_record_alone() -> anyhow::Result<()> {
    let mut acked = Vec::new();
    let mut segments = Vec::new();
    for _ in 0..SEGMENTS {
        let mut collection = Collection::new(&[])?;
        collection.start().await?;
        let mut caller = collection.caller()?;
        let mut of_this = Vec::new();
        for _ in 0..PER_SEGMENT {
            of_this.push(Made::next().submit(&mut caller).await?);
        }
        collection.kill().await?;
        for entry in fs::read_dir(collection.log_dir())? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "log") {
                let name = path.file_name().context("a name")?.to_owned();
                segments.push((name, fs::read(&path)?));
            }
        }
        acked.push(of_this);
    }
    ensure!(segments.len() == SEGMENTS);

    let mut random = StdRng::seed_from_u64(SEED);
    for _ in 0..ROUNDS {
        let mut collection = Collection::new(&[])?;
        fs::create_dir(collection.log_dir())?;
        let (mut hit, mut amid, mut last) = (BTreeSet::new(), 0, 0);
        for (i, (name, bytes)) in segments.iter().enumerate() {
            let path = collection.log_dir().join(name);
            fs::write(&path, bytes)?;
            let bit = random.random_range(0..8 * bytes.len() as u64);
            flip(&path, bit)?;
            let record = records(bytes).partition_point(|at| *at as u64 <= bit / 8) - 1;
            hit.insert(acked[i][record].report_id.clone());
            if record == PER_SEGMENT - 1 {
                last += 1;
            } else {
                amid += 1;
            }
        }
        collection.start().await?;
        collection.until_stored(PATIENCE).await?;
        let archive = collection.keep().archive().await?;
        let all: Vec<_> = acked.iter().flatten().cloned().collect();
        let audit = Audit::of(&archive, &all, all[0].sent).await?;
        let lost: BTreeSet<_> = audit
            .lost
            .iter()
            .map(|acked| acked.report_id.clone())
            .collect();
        ensure!(lost == hit, "{lost:?} are lost, {hit:?} were damaged");
        ensure!(
            audit.duplicated == 0 && audit.unacknowledged == 0,
            "{audit}"
        );
        // The last record of a segment may as well have been cut short by the kill.
        let told = collection.metric("weft_collection_damaged_records_total");
        let (told, said) = (told.await? as usize, collection.said());
        ensure!(
            (amid..=amid + last).contains(&told),
            "{told} of {amid} told: {said}"
        );
        ensure!(
            told == amid + last || said.contains("the end of the log is no record"),
            "{said}"
        );
        ensure!(!said.contains("panicked"), "{said}");
    }
    println!(
        "flipped {} bits of {SEGMENTS} segments, each cost its record",
        ROUNDS * SEGMENTS
    );
    Ok(())
}
