//! The kernel's dump of TCP sockets, over a netlink socket that is kept open.

use std::io;
use std::net::SocketAddr;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, TCP_LISTEN};
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;

use super::Socket;

/// What the kernel sends at once, at most.
const DATAGRAM: usize = 32 * 1024;
/// Answers of one dump, at most: a bound on a kernel that never says that it is done.
const MAX_DATAGRAMS: usize = 65_536;

/// A connection to the kernel's socket diagnostics, for the probe's own network namespace.
#[derive(Debug)]
pub(crate) struct Diag {
    socket: netlink_sys::Socket,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Diag {
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = netlink_sys::Socket::new(NETLINK_SOCK_DIAG)?;
        socket.bind_auto()?;
        socket.connect(&netlink_sys::SocketAddr::new(0, 0))?;
        Ok(Self {
            socket,
            buffer: Vec::with_capacity(DATAGRAM),
            sequence: 0,
        })
    }

    /// All listening and established TCP sockets.
    pub(crate) fn sockets(&mut self) -> io::Result<Vec<Socket>> {
        let mut sockets = Vec::new();
        self.dump(AF_INET, SocketId::new_v4(), &mut sockets)?;
        self.dump(AF_INET6, SocketId::new_v6(), &mut sockets)?;
        Ok(sockets)
    }

    fn dump(
        &mut self,
        family: u8,
        socket_id: SocketId,
        sockets: &mut Vec<Socket>,
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        header.sequence_number = self.sequence;
        let request = InetRequest {
            family,
            protocol: IPPROTO_TCP,
            extensions: ExtensionFlags::empty(),
            states: StateFlags::ESTABLISHED | StateFlags::LISTEN,
            socket_id,
        };
        let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        for _ in 0..MAX_DATAGRAMS {
            self.buffer.clear();
            self.socket.recv(&mut self.buffer, 0)?;
            if self.read_datagram(sockets)? {
                return Ok(());
            }
        }
        Err(io::Error::other(
            "the kernel's dump of sockets does not end",
        ))
    }

    /// Reads the answers in the buffer; true after the last one of the dump.
    fn read_datagram(&self, sockets: &mut Vec<Socket>) -> io::Result<bool> {
        let mut rest = &self.buffer[..];
        while !rest.is_empty() {
            let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
            let length = message.header.length as usize;
            match message.payload {
                _ if message.header.sequence_number != self.sequence => {} // the rest of a dump given up on
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                    sockets.push(socket(&response));
                }
                NetlinkPayload::Done(_) => return Ok(true),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => {}
            }
            // Messages are padded to four bytes.
            rest = rest
                .get(length.next_multiple_of(4).max(4)..)
                .unwrap_or_default();
        }
        Ok(false)
    }
}

fn socket(response: &InetResponse) -> Socket {
    let id = &response.header.socket_id;
    Socket::new(
        SocketAddr::new(id.source_address, id.source_port),
        SocketAddr::new(id.destination_address, id.destination_port),
        response.header.inode.into(),
        response.header.state == TCP_LISTEN,
    )
}
