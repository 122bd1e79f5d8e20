//! Decoding and merging a moment on all processors.

use rayon::prelude::*;
use report::decode::Limits;
use report::live::{Live, LiveConfig, Part};
use stores::archive::{Archive, Damage, FrameRead, FrameReader, Located};
use tokio::task::spawn_blocking;
use tonic::Status;

use crate::post::Post;
use crate::renderers::Renderers;

/// Inflated bytes per byte of a compressed body, about.
const INFLATED: usize = 9;

/// A moment's reports, merged, and the names of those that cannot be read, with what is wrong in words.
pub(crate) struct Assembled {
    pub(crate) live: Live,
    pub(crate) damaged: Vec<(u128, String)>,
}

/// Puts a moment together.
pub(crate) async fn assemble(
    archive: &Archive,
    renderers: &Renderers,
    at: i64,
    posts: Vec<Post>,
) -> Result<Assembled, Status> {
    let renderers = renderers.clone();
    let work = move || renderers.run(|| merged(at, posts));
    let (live, unreadable) = spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "merging panicked");
        Status::internal("internal error")
    })?;
    let mut damaged = Vec::new();
    for Unreadable {
        read,
        names,
        damage,
    } in unreadable
    {
        let words = archive.tell(&read, damage).await;
        damaged.extend(names.into_iter().map(|name| (name, words.clone())));
    }
    Ok(Assembled { live, damaged })
}

/// Decodes on all threads of the pool that this runs on.
fn merged(at: i64, posts: Vec<Post>) -> (Live, Vec<Unreadable>) {
    let shares = shares(posts, rayon::current_num_threads());
    let decoded: Vec<_> = shares
        .into_par_iter()
        .map(|share| decode(at, &share))
        .collect();
    let (parts, unreadable): (_, Vec<_>) = decoded.into_iter().unzip();
    let live = Live::of_parts(Limits::default(), LiveConfig::default(), parts);
    (live, unreadable.into_iter().flatten().collect())
}

/// Shares of about the same size, each with all reports of its probes. Probes that are next to each other, which were
/// compressed together, stay so.
fn shares(mut posts: Vec<Post>, threads: usize) -> Vec<Vec<Post>> {
    posts.sort_by(|a, b| (&a.probe, a.received).cmp(&(&b.probe, b.received)));
    let whole: usize = posts.iter().map(weight).sum();
    let mut shares: Vec<Vec<Post>> = vec![Vec::new()];
    let mut before = 0;
    for post in posts {
        let full = before * threads >= whole * shares.len();
        before += weight(&post);
        match shares.last_mut() {
            Some(share) if !full || share.last().is_some_and(|p| p.probe == post.probe) => {
                share.push(post);
            }
            _ => shares.push(vec![post]),
        }
    }
    shares
}

/// About how many bytes there are to decode.
fn weight(post: &Post) -> usize {
    match &post.located {
        Some(located) => located.body_bytes(),
        None => post.body.len() * INFLATED,
    }
}

/// A frame that is damaged, and the names of the reports that it should have given.
struct Unreadable {
    read: FrameRead,
    names: Vec<u128>,
    damage: Damage,
}

fn decode(at: i64, posts: &[Post]) -> (Part, Vec<Unreadable>) {
    let mut part = Part::new(Limits::default(), LiveConfig::default());
    let push = |part: &mut Part, post: &Post, body: &[u8]| {
        part.push(
            post.received,
            &post.probe,
            body,
            post.format,
            post.compression,
        );
    };
    let (stored, here): (Vec<&Post>, Vec<&Post>) =
        posts.iter().partition(|post| post.located.is_some());
    for post in here {
        push(&mut part, post, &post.body);
    }
    let located: Vec<Located> = stored
        .iter()
        .filter_map(|post| post.located.clone())
        .collect();
    let mut reader = FrameReader::default();
    let mut damaged = Vec::new();
    for read in FrameRead::of(&located) {
        let each = |place: usize, body: &[u8]| push(&mut part, stored[place], body);
        if let Err(damage) = read.read(&mut reader, each) {
            let names = read.asked().iter().map(|place| stored[*place].id).collect();
            damaged.push(Unreadable {
                read,
                names,
                damage,
            });
        }
    }
    part.merge(at);
    (part, damaged)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use report::decode::{Compression, Format};

    use super::*;

    fn post(probe: &str, bytes: usize) -> Post {
        Post {
            id: 0,
            received: 0,
            probe: probe.to_owned(),
            body: Bytes::from(vec![0; bytes]),
            located: None,
            format: Format::ScopeJson,
            compression: Compression::Gzip,
            full: false,
        }
    }

    fn shared(posts: &[(&str, usize)], threads: usize) -> Vec<String> {
        let posts = posts.iter().map(|(probe, bytes)| post(probe, *bytes));
        let probes = |share: Vec<Post>| share.into_iter().map(|p| p.probe).collect();
        shares(posts.collect(), threads)
            .into_iter()
            .map(probes)
            .collect()
    }

    #[test]
    fn shares_are_alike_and_probes_are_whole() {
        let even = [("a", 1), ("b", 1), ("c", 1), ("d", 1)];
        assert_eq!(shared(&even, 2), ["ab", "cd"]);
        assert_eq!(shared(&even, 1), ["abcd"]);
        assert_eq!(
            shared(&[("b", 5), ("a", 1), ("b", 5), ("c", 1)], 2),
            ["abb", "c"]
        );
        assert_eq!(shared(&[("a", 1)], 4), ["a"]);
        assert_eq!(shared(&[], 4), [""]);
    }
}
