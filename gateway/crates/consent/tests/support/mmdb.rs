//! Writes a MaxMind database: <https://maxmind.github.io/MaxMind-DB/>.

use std::net::Ipv6Addr;

/// A database of one kind, of networks with a country and perhaps a subdivision.
pub(crate) fn database(kind: &str, networks: &[(&str, u32, &str, Option<&str>)]) -> Vec<u8> {
    let mut data = Vec::new();
    // Each node is its two children.
    let mut nodes: Vec<[Child; 2]> = vec![[Child::Nowhere; 2]];
    for (address, bits, country, subdivision) in networks {
        let offset = data.len();
        record(&mut data, country, *subdivision);
        let (address, bits) = position(address, *bits);
        insert(&mut nodes, address, bits, offset);
    }
    let count = nodes.len();
    let mut file = Vec::new();
    for node in &nodes {
        for child in node {
            let value = match child {
                Child::Nowhere => count,
                Child::Node(node) => *node,
                Child::Data(offset) => count + 16 + offset,
            };
            file.extend_from_slice(&u32::try_from(value).expect("the test writes it so").to_be_bytes()[1..]);
        }
    }
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(&data);
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    metadata(&mut file, kind, u32::try_from(count).expect("the test writes it so"));
    file
}

#[derive(Clone, Copy)]
enum Child {
    Nowhere,
    Node(usize),
    Data(usize),
}

/// IPv4 is at `::/96`.
fn position(address: &str, bits: u32) -> (u128, u32) {
    match address.parse().expect("the test writes it so") {
        std::net::IpAddr::V4(address) => (u128::from(u32::from(address)), bits + 96),
        std::net::IpAddr::V6(address) => (Ipv6Addr::to_bits(address), bits),
    }
}

fn insert(nodes: &mut Vec<[Child; 2]>, address: u128, bits: u32, offset: usize) {
    let mut node = 0;
    for depth in 0..bits {
        let side = usize::from(address >> (127 - depth) & 1 == 1);
        if depth + 1 == bits {
            nodes[node][side] = Child::Data(offset);
        } else if let Child::Node(next) = nodes[node][side] {
            node = next;
        } else {
            nodes.push([Child::Nowhere; 2]);
            nodes[node][side] = Child::Node(nodes.len() - 1);
            node = nodes.len() - 1;
        }
    }
}

fn record(out: &mut Vec<u8>, country: &str, subdivision: Option<&str>) {
    map(out, 1 + u8::from(subdivision.is_some()));
    string(out, "country");
    map(out, 1);
    string(out, "iso_code");
    string(out, country);
    if let Some(subdivision) = subdivision {
        string(out, "subdivisions");
        array(out, 1);
        map(out, 1);
        string(out, "iso_code");
        string(out, subdivision);
    }
}

fn metadata(out: &mut Vec<u8>, kind: &str, nodes: u32) {
    map(out, 9);
    string(out, "binary_format_major_version");
    number(out, 5, &2_u16.to_be_bytes());
    string(out, "binary_format_minor_version");
    number(out, 5, &0_u16.to_be_bytes());
    string(out, "build_epoch");
    // Types beyond 7 have their number in a byte of its own: 9 is an unsigned number of 64 bits.
    out.extend_from_slice(&[8, 2]);
    out.extend_from_slice(&1_767_225_600_u64.to_be_bytes());
    string(out, "database_type");
    string(out, kind);
    string(out, "description");
    map(out, 0);
    string(out, "ip_version");
    number(out, 5, &6_u16.to_be_bytes());
    string(out, "languages");
    array(out, 0);
    string(out, "node_count");
    number(out, 6, &nodes.to_be_bytes());
    string(out, "record_size");
    number(out, 5, &24_u16.to_be_bytes());
}

fn map(out: &mut Vec<u8>, entries: u8) {
    out.push(7 << 5 | entries);
}

fn array(out: &mut Vec<u8>, elements: u8) {
    out.extend_from_slice(&[elements, 4]);
}

fn string(out: &mut Vec<u8>, text: &str) {
    // Lengths from 29 have a byte of their own.
    match u8::try_from(text.len()).expect("the test writes it so") {
        short @ 0..29 => out.push(2 << 5 | short),
        long => out.extend_from_slice(&[2 << 5 | 29, long - 29]),
    }
    out.extend_from_slice(text.as_bytes());
}

fn number(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind << 5 | u8::try_from(bytes.len()).expect("the test writes it so"));
    out.extend_from_slice(bytes);
}
