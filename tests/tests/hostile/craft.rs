//! How hostile plugins are put together: the texts that a hand-written plugin's functions are made of.

use tidegate_plugin_sdk::manifest::embed;
use tidegate_sandbox::inspect;
use tidegate_tests::plugin::{MANIFEST, Parts};

/// A plugin with this `transform`.
pub(crate) fn transform(transform: &str) -> Vec<u8> {
    Parts { transform, ..Parts::default() }.build()
}

/// A plugin with this `classify`.
pub(crate) fn classify(classify: &str) -> Vec<u8> {
    Parts { classify, ..Parts::default() }.build()
}

/// A good plugin with this at the end of its module.
pub(crate) fn extra(extra: &str) -> Vec<u8> {
    Parts { extra, ..Parts::default() }.build()
}

/// A good plugin with this manifest.
pub(crate) fn manifest(manifest: &str) -> Vec<u8> {
    Parts { manifest, ..Parts::default() }.build()
}

/// A good plugin whose manifest says something else in one place.
pub(crate) fn claims(from: &str, to: &str) -> Vec<u8> {
    assert!(MANIFEST.contains(from), "the manifest has no `{from}`");
    manifest(&MANIFEST.replacen(from, to, 1))
}

/// A component that is written as text, with the manifest.
pub(crate) fn component(text: &str) -> Vec<u8> {
    tidegate_tests::plugin::component(text)
}

/// A `transform` that first does something, and then answers as the good one.
pub(crate) fn before_the_answer(what: &str) -> String {
    format!("{what} {}", tidegate_tests::plugin::GOOD)
}

/// A `transform` that returns a list of so many requests which begins there.
pub(crate) fn list(pointer: &str, length: &str) -> String {
    format!(
        "(local.set $out (call $alloc (i32.const 16)))
        (i32.store8 (local.get $out) (i32.const 0))
        (i32.store offset=4 (local.get $out) {pointer})
        (i32.store offset=8 (local.get $out) {length})
        (local.get $out)"
    )
}

/// Where a request's record has what, as the contract's types lie in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Field {
    Endpoint = 0,
    Path = 8,
    Query = 16,
    Headers = 24,
    Body = 32,
}

/// A plugin whose one request has these ranges of its memory for a field: where it begins and how long it is.
pub(crate) fn pointing(field: Field, at: u32, length: u32) -> Vec<u8> {
    transform(&request(&store(field, at, length)))
}

/// The same, of text.
pub(crate) fn saying(field: Field, text: &str) -> Vec<u8> {
    saying_bytes(field, text.as_bytes())
}

/// The same, of bytes that need not be text.
pub(crate) fn saying_bytes(field: Field, bytes: &[u8]) -> Vec<u8> {
    let transform = request(&store(field, DATA, u32::try_from(bytes.len()).unwrap()));
    Parts { transform: &transform, data: &escaped(bytes), ..Parts::default() }.build()
}

/// A plugin whose one request has these pairs for a field.
pub(crate) fn pairs(field: Field, pairs: &[(&str, &str)]) -> Vec<u8> {
    pairs_within(field, pairs, MANIFEST)
}

/// The same, with a manifest of its own.
pub(crate) fn pairs_within(field: Field, pairs: &[(&str, &str)], manifest: &str) -> Vec<u8> {
    let (mut at, mut stores, mut data) = (DATA, String::new(), String::new());
    for (index, text) in pairs.iter().flat_map(|(name, value)| [name, value]).enumerate() {
        let place = PAIRS + 8 * u32::try_from(index).unwrap();
        stores += &format!(
            "(i32.store (i32.const {place}) (i32.const {at})) (i32.store (i32.const {}) (i32.const {}))",
            place + 4,
            length(text)
        );
        at += length(text);
        data += &escaped(text.as_bytes());
    }
    assert!(at <= PAIRS, "the texts of a request's pairs have {} bytes", at - DATA);
    let count = u32::try_from(pairs.len()).unwrap();
    let transform = stores + &request(&store(field, PAIRS, count));
    Parts { transform: &transform, data: &data, manifest, ..Parts::default() }.build()
}

/// A plugin whose one request has a header of so many bytes.
pub(crate) fn large_header(bytes: u32) -> Vec<u8> {
    let pair = [DATA, 1, 8192, bytes].into_iter().zip([0, 4, 8, 12]);
    let stores = pair.map(|(value, at)| format!("(i32.store (i32.const {}) (i32.const {value}))", PAIRS + at));
    let transform = stores.collect::<String>() + &request(&store(Field::Headers, PAIRS, 1));
    Parts { transform: &transform, data: "a", ..Parts::default() }.build()
}

/// Where `Parts::data` lies, and where lists of pairs do.
const DATA: u32 = 512;
const PAIRS: u32 = 2560;

fn length(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap()
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

fn store(field: Field, at: u32, length: u32) -> String {
    let offset = field as u32;
    format!(
        "(i32.store offset={offset} (local.get $body) (i32.const {at}))
        (i32.store offset={} (local.get $body) (i32.const {length}))",
        offset + 4
    )
}

/// A `transform` that returns one request to `events`, changed by these stores into its record at `$body`.
fn request(stores: &str) -> String {
    format!(
        "(local.set $out (call $alloc (i32.const 64)))
        (local.set $body (i32.add (local.get $out) (i32.const 16)))
        (i32.store offset=4 (local.get $out) (local.get $body))
        (i32.store offset=8 (local.get $out) (i32.const 1))
        (i32.store offset=0 (local.get $body) (i32.const 8))
        (i32.store offset=4 (local.get $body) (i32.const 6))
        {stores}
        (local.get $out)"
    )
}

/// A component around another, which has the manifest instead of it.
pub(crate) fn nested_manifest() -> Vec<u8> {
    let inner = embed(&wat::parse_str("(component)").unwrap(), MANIFEST);
    [wat::parse_str("(component)").unwrap(), part(COMPONENT, &inner)].concat()
}

/// A good plugin with so many more core modules of this text, and so many instances of the first of them.
pub(crate) fn with_modules(text: &str, modules: usize, instances: u32) -> Vec<u8> {
    let good = Parts::default().build();
    let index = u32::try_from(inspect(&good).unwrap().modules).unwrap();
    let module = part(CORE_MODULE, &wat::parse_str(text).unwrap());
    // Each: "instantiate", the module, no arguments.
    let instance = [vec![0], leb(index), vec![0]].concat();
    let instances = [leb(instances), instance.repeat(instances as usize)].concat();
    [good, module.repeat(modules), part(CORE_INSTANCES, &instances)].concat()
}

/// The ids of a component's sections.
const CORE_MODULE: u8 = 1;
const CORE_INSTANCES: u8 = 2;
const COMPONENT: u8 = 4;

fn part(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], leb(u32::try_from(content.len()).unwrap()), content.to_vec()].concat()
}

/// A number as WebAssembly writes it.
fn leb(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let (low, rest) = ((number & 0x7f) as u8, number >> 7);
        bytes.push(if rest == 0 { low } else { low | 0x80 });
        if rest == 0 {
            return bytes;
        }
        number = rest;
    }
}

/// A custom section of this name and data, whose length says this.
pub(crate) fn section(name: &str, data: &[u8], length: u32) -> Vec<u8> {
    [vec![0], leb(length), leb(self::length(name)), name.into(), data.to_vec()].concat()
}
