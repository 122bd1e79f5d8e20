//! Every RPC, asked by every kind of caller through the edge: who gets what stands in one table.

mod callers;
mod raw;
mod table;

use std::collections::BTreeSet;

use anyhow::ensure;
use prost::Message;
use prost_types::FileDescriptorSet;
use tests::{Sandbox, Topology};
use tonic::Code;

use callers::{Callers, GROUPS};
use table::{ROWS, Row};

/// The RPCs of the contract, as `query.v1.QueryService/Watch`.
fn contract() -> anyhow::Result<BTreeSet<String>> {
    let set = FileDescriptorSet::decode(proto::FILE_DESCRIPTOR_SET)?;
    let mut all = BTreeSet::new();
    for file in &set.file {
        for service in &file.service {
            let package = file.package().trim_start_matches("weft.");
            let methods = service.method.iter();
            all.extend(methods.map(|m| format!("{package}.{}/{}", service.name(), m.name())));
        }
    }
    Ok(all)
}

#[test]
fn every_rpc_has_a_line() -> anyhow::Result<()> {
    let (contract, table) = (contract()?, ROWS.iter().map(|row| row.rpc.to_owned()));
    let table: BTreeSet<String> = table.collect();
    let missing: Vec<_> = contract.difference(&table).collect();
    ensure!(missing.is_empty(), "give these a line: {missing:?}");
    let gone: Vec<_> = table.difference(&contract).collect();
    ensure!(gone.is_empty(), "these are no RPCs any more: {gone:?}");
    Ok(())
}

/// The letter of a code in the table.
fn letter(code: Code) -> char {
    match code {
        Code::Ok => 'o',
        Code::InvalidArgument => 'i',
        Code::NotFound => 'n',
        Code::FailedPrecondition => 'f',
        Code::PermissionDenied => '-',
        Code::Unauthenticated => 'a',
        Code::Unimplemented => '.',
        Code::Unavailable => 'u',
        Code::OutOfRange => 'r',
        _ => '?',
    }
}

/// What a group of callers is answered, a letter each.
async fn answers(weft: &Sandbox, row: &Row, callers: &Callers) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for group in callers.groups() {
        let mut letters = String::new();
        for caller in group {
            let code = raw::call(weft, row.rpc, (row.message)(), caller).await?;
            letters.push(letter(code));
        }
        found.push(letters);
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_caller_gets_what_the_table_says() -> anyhow::Result<()> {
    let mut calls = 0;
    for topology in [Topology::Direct, Topology::Processes] {
        let weft = Sandbox::strict(topology, None).await?;
        let callers = Callers::prepare(&weft).await?;
        let mut wrong = Vec::new();
        for row in ROWS {
            let found = answers(&weft, row, &callers).await?;
            calls += found.iter().map(String::len).sum::<usize>();
            if found != row.expected {
                wrong.push(format!("{:<45} {:?}", row.rpc, found));
            }
        }
        ensure!(
            wrong.is_empty(),
            "{topology:?}: these got something else, in the order {GROUPS:?}:\n{}",
            wrong.join("\n")
        );
    }
    println!("{calls} calls of {} RPCs", ROWS.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_anything_without_a_good_credential() -> anyhow::Result<()> {
    let flags = ["--demand-credentials", "--session-lifetime", "3s"];
    let weft = Sandbox::start_with(&flags).await?;
    let bad = callers::bad(&weft).await?;
    let mut calls = 0;
    for row in ROWS {
        let served = row
            .expected
            .iter()
            .any(|group| group.contains(|c| c != '.'));
        let expected = match served {
            true => Code::Unauthenticated,
            false => Code::Unimplemented,
        };
        for (kind, caller) in &bad {
            let code = raw::call(&weft, row.rpc, (row.message)(), caller).await?;
            ensure!(code == expected, "{}: {kind}: {code:?}", row.rpc);
            calls += 1;
        }
    }
    let kinds: Vec<_> = bad.iter().map(|(kind, _)| *kind).collect();
    println!("{calls} calls with {kinds:?}");
    ensure!(calls > 0, "there are no RPCs");
    Ok(())
}
