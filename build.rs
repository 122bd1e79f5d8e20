//! Compiles `proto/**/*.proto` into `OUT_DIR`. Uses protox, so no `protoc` is needed.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message;
use prost_types::field_descriptor_proto::Type;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Of others, and no part of what reflection shows.
    generate(compile("proto/envoy")?, &out)?;

    let descriptors = compile("proto/weft")?;
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    generate(descriptors.clone(), &out)?;

    let encoded = out.join("encoded");
    fs::create_dir_all(&encoded)?;
    generate(with_encoded_nodes(descriptors), &encoded)
}

fn compile(folder: &str) -> Result<FileDescriptorSet, Box<dyn Error>> {
    let mut files = Vec::new();
    collect(Path::new(folder), &mut files)?;
    files.sort();
    Ok(protox::compile(&files, ["proto"])?)
}

fn generate(descriptors: FileDescriptorSet, out: &Path) -> Result<(), Box<dyn Error>> {
    tonic_prost_build::configure()
        .build_transport(false)
        .bytes(".")
        .out_dir(out)
        .compile_fds(descriptors)?;
    Ok(())
}

/// The query package once more, with the nodes of these messages as the bytes they are on the wire. A server that has
/// encoded a node sends it to all its watchers without encoding it again.
fn with_encoded_nodes(mut descriptors: FileDescriptorSet) -> FileDescriptorSet {
    const FIELDS: [(&str, &str); 3] = [
        ("GetTopologyResponse", "nodes"),
        ("WatchTopologyResponse", "added"),
        ("WatchTopologyResponse", "updated"),
    ];
    let query = |file: &FileDescriptorProto| file.package() == "weft.query.v1";
    for message in descriptors
        .file
        .iter_mut()
        .filter(|f| query(f))
        .flat_map(|f| &mut f.message_type)
    {
        let name = message.name().to_owned();
        for field in &mut message.field {
            if FIELDS.contains(&(name.as_str(), field.name())) {
                field.set_type(Type::Bytes);
                field.type_name = None;
            }
        }
    }
    descriptors
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
