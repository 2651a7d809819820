//! The catalogue of hostile plugins: what each tries, and how it ends. A table; `docs/hostile.md` is made of it.

use tidegate_plugin_sdk::manifest::{SECTION, embed};
use tidegate_tests::plugin::{MANIFEST, Parts};

use super::craft::Field::{Body, Endpoint, Headers, Path, Query};
use super::craft::{
    self, before_the_answer, claims, classify, component, extra, list, pairs, pointing, saying, transform,
};

/// One hostile plugin.
pub(crate) struct Case {
    /// Its name, and that of its destination.
    pub(crate) name: &'static str,
    /// What it tries, in a few words.
    pub(crate) tries: &'static str,
    pub(crate) end: End,
    /// Its bytes.
    pub(crate) component: fn() -> Vec<u8>,
}

/// How it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// The gateway does not load it, and says this.
    Refused(&'static str),
    /// The lock, which holds the good plugin for it, does not cover it, and says this.
    Uncovered(&'static str),
    /// Its own event becomes a dead letter, for this reason.
    Dead(&'static str),
    /// It gains nothing: its request is the same as a good plugin's, event after event.
    Nothing,
}
use End::{Dead, Nothing, Refused, Uncovered};

const fn case(name: &'static str, tries: &'static str, end: End, component: fn() -> Vec<u8>) -> Case {
    Case { name, tries, end, component }
}

const LOOP: &str = "(loop $again (br $again)) unreachable";
const TIME: End = Dead("transform failed: ran for more than 20 ms and was stopped");
const MEMORY: End = Dead("transform failed: wanted more than 1MiB of memory and was stopped");
const DEEP: End = Dead("transform failed: crashed: it recursed too deeply");
const BYTES: End = Dead("transform failed: returned more than 65536 bytes");
const NONSENSE: End = Dead("transform failed: returned nonsense: ");
const CLIMBS: End = Dead("transform failed: endpoint parameter `row` would change the path: ");

/// Time: every call has the milliseconds of the manifest.
const TIME_CASES: &[Case] = &[
    case("loop", "loops for ever", TIME, || transform(LOOP)),
    case("loop-alloc", "loops while it is given the event", TIME, || Parts { alloc: LOOP, ..Parts::default() }.build()),
    case(
        "loop-classify",
        "loops when it is shown the answer",
        Dead("rejected: HTTP 200, and classifying it failed: ran for more than 20 ms and was stopped"),
        || classify(LOOP),
    ),
    case("loop-start", "loops in its start function", Refused("does not start: ran for more than 20 ms"), || {
        extra("(func $start (loop $again (br $again))) (start $start)")
    }),
    case("loop-bulk", "fills memory over and over, in instructions of 128 KiB each", TIME, || {
        transform("(loop $again (memory.fill (i32.const 0) (i32.const 0) (i32.const 131072)) (br $again)) unreachable")
    }),
    case("loop-branches", "jumps about in a table of a thousand branches", TIME, || {
        let table = "$again ".repeat(1000);
        transform(&format!("(loop $again (br_table {table} (i32.const 7))) unreachable"))
    }),
    case("recursion", "calls itself for ever", DEEP, || {
        Parts {
            transform: "(call $deeper (i32.const 0))",
            extra: "(func $deeper (param i32) (result i32)
                (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))",
            ..Parts::default()
        }
        .build()
    }),
    case("recursion-indirect", "calls itself for ever through a table", DEEP, || {
        Parts {
            transform: "(call $deeper (i32.const 0))",
            extra: "(type $step (func (param i32) (result i32)))
                (table $steps 1 funcref) (elem (table $steps) (i32.const 0) func $deeper)
                (func $deeper (type $step)
                    (i32.add (call_indirect $steps (type $step) (local.get 0) (i32.const 0)) (i32.const 1)))",
            ..Parts::default()
        }
        .build()
    }),
    case("stack-frames", "takes a stack of large frames", DEEP, || {
        let locals = "(local v128) ".repeat(500);
        let use_them: String = (1..=500).map(|n| format!("(local.set {n} (i32x4.splat (local.get 0)))")).collect();
        let keep: String = (1..=500).map(|n| format!("(v128.store (i32.const 8192) (local.get {n}))")).collect();
        let extra = format!("(func $deeper (param i32) {locals} {use_them} (call $deeper (local.get 0)) {keep})");
        Parts { transform: "(call $deeper (i32.const 0)) unreachable", extra: &extra, ..Parts::default() }.build()
    }),
    case("crash", "stops itself", Dead("transform failed: crashed: it stopped itself"), || transform("unreachable")),
    case("divide", "divides by zero", Dead("transform failed: crashed: integer divide by zero"), || {
        transform("(i32.div_u (i32.const 1) (i32.const 0))")
    }),
];

/// Memory: all memories and tables together have the bytes of the manifest.
const MEMORY_CASES: &[Case] = &[
    case("memory", "takes memory until there is none", MEMORY, || {
        transform("(loop $again (drop (memory.grow (i32.const 1))) (br $again)) unreachable")
    }),
    case("memory-at-once", "asks for the whole address space", MEMORY, || {
        transform("(if (i32.eq (memory.grow (i32.const 65533)) (i32.const -1)) (then unreachable)) unreachable")
    }),
    case("memory-failures", "lets every second growth fail, to be given its bytes back", MEMORY, || {
        transform(
            "(loop $again (drop (memory.grow (i32.const 1))) (drop (memory.grow (i32.const -1))) (br $again)) unreachable",
        )
    }),
    case("tables", "takes a table until there is none", MEMORY, || {
        Parts {
            transform: "(loop $again
                (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1))))
                (loop $more (drop (memory.grow (i32.const 1))) (br $more)) unreachable",
            extra: "(table $table 1 funcref)",
            ..Parts::default()
        }
        .build()
    }),
    case(
        "memory-start",
        "starts with more than it may have",
        Refused("bytes of memory to start; its manifest allows 1048576"),
        || Parts { memory: "17", ..Parts::default() }.build(),
    ),
    case("table-start", "starts with a table of a million elements", Refused("bytes of memory to start"), || {
        extra("(table 1000000 funcref)")
    }),
    case("two-memories", "has a second memory", Refused("cannot be compiled"), || extra("(memory 1)")),
    case("shared-memory", "has a memory that threads share", Refused("cannot be compiled"), || {
        extra("(memory 1 1 shared)")
    }),
    case("memory-64", "has a memory of 64 bits", Refused("cannot be compiled"), || {
        craft::with_modules("(module (memory i64 1))", 1, 0)
    }),
    case("instances", "is made of 900 instances", Refused("cannot be compiled"), || {
        craft::with_modules("(module)", 1, 900)
    }),
    case("instances-thousands", "is made of two thousand", Refused("instances count exceeds limit of 1000"), || {
        craft::with_modules("(module)", 1, 2000)
    }),
    case("instances-memories", "is made of 900 memories", Refused("bytes of memory to start"), || {
        craft::with_modules("(module (memory 1))", 900, 0)
    }),
];

/// What it returns: every byte is counted before it is copied, and every value is checked.
const RESULT_CASES: &[Case] = &[
    case("body-not-there", "returns a body of 100 MB that it does not have", NONSENSE, || {
        pointing(Body, 0, 100_000_000)
    }),
    case("body-large", "returns a body of 100 kB", BYTES, || pointing(Body, 0, 100_000)),
    case("bodies-shared", "returns 3000 requests that share one body: 180 MB, were they copied", BYTES, || {
        transform(&format!(
            "(local.set $body (i32.const 8192))
            (loop $again
                (i32.store offset=32 (local.get $body) (i32.const 0))
                (i32.store offset=36 (local.get $body) (i32.const 60000))
                (local.set $body (i32.add (local.get $body) (i32.const 40)))
                (br_if $again (i32.lt_u (local.get $body) (i32.const 128192))))
            {}",
            list("(i32.const 8192)", "(i32.const 3000)")
        ))
    }),
    case(
        "requests",
        "returns 101 requests for one event",
        Dead("transform failed: returned more than 100 requests"),
        || transform(&list("(i32.const 65536)", "(i32.const 101)")),
    ),
    case(
        "not-utf8",
        "returns text that is none",
        Dead("transform failed: returned nonsense: text that is not UTF-8"),
        || craft::saying_bytes(Endpoint, b"\xff\xfe"),
    ),
    case("pointer-outside", "points behind its memory", NONSENSE, || pointing(Endpoint, 0xffff_fff0, 64)),
    case("pointer-list", "returns a list that lies across its end", NONSENSE, || {
        transform(&list("(i32.const 131000)", "(i32.const 100)"))
    }),
    case("pointer-odd", "returns a pointer that is not aligned", NONSENSE, || transform("(i32.const 0x7fffffff)")),
    case("answer-outside", "returns an answer outside of its memory", NONSENSE, || transform("(i32.const 0x7ffffff0)")),
    case("answer-of-no-kind", "returns neither requests nor a refusal", NONSENSE, || {
        transform(
            "(local.set $out (call $alloc (i32.const 16))) (i32.store8 (local.get $out) (i32.const 7)) (local.get $out)",
        )
    }),
    case("allocator", "hands out memory for the event that it has not", NONSENSE, || {
        Parts { alloc: "(i32.const 0x7ffffff0)", ..Parts::default() }.build()
    }),
    case("nan", "hides data in the bits of a NaN", Nothing, nan),
    case(
        "reason-escapes",
        "gives a reason that would clear an operator's terminal",
        Dead("invalid: [2J[31mowned"),
        || refusing("\u{1b}[2J\u{1b}[31mowned\r\n\u{7}"),
    ),
    case(
        "outcomes",
        "judges more events than there were",
        Dead("rejected: HTTP 200, and classifying it failed: returned nonsense: 2 outcomes for 1 events"),
        || {
            classify(
                "(i32.store8 (i32.const 512) (i32.const 5)) (i32.store offset=8 (i32.const 512) (i32.const 65536))
                (i32.store offset=12 (i32.const 512) (i32.const 2)) (i32.const 512)",
            )
        },
    ),
    case(
        "verdict-of-no-kind",
        "gives a verdict that there is not",
        Dead("rejected: HTTP 200, and classifying it failed: returned nonsense: "),
        || classify("(i32.store8 (i32.const 512) (i32.const 77)) (i32.const 512)"),
    ),
];

/// What it wants from outside: there is nothing to be had.
const IMPORT_CASES: &[Case] = &[
    case("wasi-files", "imports files", Refused("`wasi:filesystem/types@0.2.6` (would read and write files)"), || {
        component(r#"(component (import "wasi:filesystem/types@0.2.6" (instance)))"#)
    }),
    case(
        "wasi-network",
        "imports sockets",
        Refused("`wasi:sockets/tcp@0.2.6` (would open network connections)"),
        || component(r#"(component (import "wasi:sockets/tcp@0.2.6" (instance)))"#),
    ),
    case("wasi-clock", "imports a clock, to time its neighbours", Refused("would read the clock, or wait"), || {
        component(r#"(component (import "wasi:clocks/monotonic-clock@0.2.6" (instance)))"#)
    }),
    case("import-function", "imports a function of its own", Refused("would call code outside of the sandbox"), || {
        component(r#"(component (import "call-home" (func)))"#)
    }),
    case("import-module", "has a core module whose imports nobody gives", Refused("is damaged: "), || {
        component(r#"(component (core module $m (import "env" "time" (func))) (core instance (instantiate $m)))"#)
    }),
];

/// What it exports: the contract's interface with the contract's types.
const EXPORT_CASES: &[Case] = &[
    case("no-interface", "exports nothing", Refused("it does not export `tidegate:destination/plugin@"), || {
        component("(component)")
    }),
    case("interface-empty", "exports an interface without functions", Refused("it does not export transform"), || {
        component(&interface("", ""))
    }),
    case(
        "interface-types",
        "exports functions of other types",
        Refused("does not fit its contract: failed to convert function"),
        || {
            let module = "(core module $m (func (export \"f\") (result i32) (i32.const 0)))
            (core instance $c (instantiate $m))
            (func $f (result u32) (canon lift (core func $c \"f\")))";
            component(&interface(module, "(export \"transform\" (func $f)) (export \"classify\" (func $f))"))
        },
    ),
];

/// What it is: a component, whole, and no larger than any plugin.
const FORM_CASES: &[Case] = &[
    case("core-module", "is a core module", Refused("is a core module, not a WebAssembly component"), || {
        Parts::default().module()
    }),
    case("machine-code", "is machine code", Refused("is machine code"), || b"\x7fELF\x02\x01\x01".to_vec()),
    case("text", "is text", Refused("is text, not a WebAssembly component"), || b"(component)".to_vec()),
    case("empty", "is nothing", Refused("is empty, not a WebAssembly component"), Vec::new),
    case("cut-off", "ends in the middle", Refused("is damaged: "), || {
        let whole = Parts::default().build();
        whole[..whole.len() / 2].to_vec()
    }),
    case("more-behind", "goes on behind its end", Refused("is damaged: "), || {
        [Parts::default().build(), vec![0xff; 64]].concat()
    }),
];

/// What it says of itself: one manifest, of the outermost component, whole and true.
const MANIFEST_CASES: &[Case] = &[
    case("manifest-none", "has no manifest", Refused("has no `tidegate:manifest` section"), || Parts::default().bare()),
    case("manifest-two", "has two manifests", Refused("has more than one `tidegate:manifest` section"), || {
        embed(&Parts::default().build(), MANIFEST)
    }),
    case(
        "manifest-nested",
        "has one in a component inside",
        Refused("has no `tidegate:manifest` section"),
        craft::nested_manifest,
    ),
    case("manifest-in-module", "has one in its core module", Refused("has no `tidegate:manifest` section"), || {
        let text = format!("(component (core module (@custom \"{SECTION}\" \"name\")))");
        wat::parse_str(text).unwrap()
    }),
    case("manifest-name", "has one under nearly the name", Refused("has no `tidegate:manifest` section"), || {
        let name = "tidegate:manifest ";
        [Parts::default().bare(), craft::section(name, b"x", name.len() as u32 + 2)].concat()
    }),
    case("manifest-length", "says that it is longer than the file", Refused("is damaged: "), || {
        [Parts::default().bare(), craft::section(SECTION, b"name", 9_000)].concat()
    }),
    case("manifest-not-utf8", "has one that is no text", Refused("section that is not UTF-8"), || {
        [Parts::default().bare(), craft::section(SECTION, b"\xff\xfe", SECTION.len() as u32 + 3)].concat()
    }),
    case("manifest-huge", "has one of 300 kB", Refused("the manifest is longer than 256 KiB"), || {
        craft::manifest(&format!("{MANIFEST}#{}", "x".repeat(300_000)))
    }),
    case(
        "manifest-world",
        "says that it is for another contract",
        Refused("is a contract that is not known here"),
        || craft::manifest(&MANIFEST.lines().map(other_world).collect::<Vec<_>>().join("\n")),
    ),
    case(
        "manifest-world-before",
        "says that it is for the contract before, and has the newest",
        Refused("which its manifest names"),
        || claims("tidegate:destination@0.2.0", "tidegate:destination@0.1.0"),
    ),
    case("manifest-limits", "wants a minute and 4 GiB", Refused("`time_max_ms` is 60000"), || {
        claims("time_max_ms = 20", "time_max_ms = 60000")
    }),
    case("manifest-http", "sends without encryption", Refused("is not https"), || claims("https://", "http://")),
    case("manifest-userinfo", "hides its host behind another's name", Refused("has `@` in its url"), || {
        claims("https://platform.example/", "https://platform.example@evil.example/")
    }),
    case("manifest-idn", "has a host that only looks like the platform's", Refused("has no host"), || {
        claims("https://platform.example/", "https://pl\u{430}tform.example/")
    }),
    case("manifest-zone", "has an IPv6 address with a zone for a host", Refused("has no host"), || {
        claims("https://platform.example/", "https://[fe80::1%25eth0]/")
    }),
    case(
        "manifest-escape",
        "would clear the terminal of who audits it",
        Refused("`summary` must be 1 to 200 characters"),
        || claims("Written by hand", "\\u001b[2JHarmless"),
    ),
    case("manifest-wider", "sees more than was approved", Uncovered("reads `user.email`: it sees this now"), || {
        claims("[reads]", "[reads]\n\"user.email\" = { as = \"plain\", why = \"mail\" }")
    }),
    case(
        "manifest-narrower",
        "sees less than was approved, with other code",
        Uncovered("digest: it is other code"),
        || {
            let transform = before_the_answer("(drop (i32.const 1))");
            let manifest = MANIFEST.lines().filter(|line| !line.contains("user.id")).collect::<Vec<_>>().join("\n");
            Parts { transform: &transform, manifest: &manifest, ..Parts::default() }.build()
        },
    ),
    case(
        "manifest-same",
        "has the manifest that was approved, and other code",
        Uncovered("digest: it is other code"),
        || transform(&before_the_answer("(drop (i32.const 1))")),
    ),
];

/// What it sends: to an endpoint of the manifest, without credentials, lines or ways up.
const REQUEST_CASES: &[Case] = &[
    case(
        "endpoint-url",
        "names a URL for an endpoint",
        Dead("transform failed: `https://evil.example/` is no endpoint of the manifest"),
        || saying(Endpoint, "https://evil.example/"),
    ),
    case("endpoint-none", "names no endpoint", Dead("transform failed: `` is no endpoint of the manifest"), || {
        saying(Endpoint, "")
    }),
    case("path-up", "climbs by a path parameter", CLIMBS, || row("../../admin")),
    case("path-up-encoded", "climbs by an encoded one", CLIMBS, || row("%2e%2e%2fadmin")),
    case("path-up-backslash", "climbs by a backslash", CLIMBS, || row("..\\admin")),
    case("path-line", "breaks the request's line", CLIMBS, || row("a HTTP/1.1\r\nhost: evil.example")),
    case("path-nothing", "leaves the parameter empty", CLIMBS, || row("")),
    case(
        "path-host",
        "gives a parameter that would be the host",
        Dead("transform failed: endpoint parameter `host` is not one of the endpoint's"),
        || pairs(Path, &[("host", "evil.example")]),
    ),
    case(
        "header-line",
        "puts a second header behind a value",
        Dead("transform failed: the value of header `x-a` cannot be sent"),
        || header("x-a", "b\r\nhost: evil.example"),
    ),
    case(
        "header-name-line",
        "puts a second header into a name",
        Dead("transform failed: \"x-a: b\\r\\nhost\" is no name of a header"),
        || header("x-a: b\r\nhost", "evil.example"),
    ),
    case(
        "header-pseudo",
        "sets HTTP/2's own `:authority`",
        Dead("transform failed: \":authority\" is no name of a header"),
        || header(":authority", "evil.example"),
    ),
    case("header-host", "sets the host", DENIED_HOST, || header("Host", "evil.example")),
    case(
        "header-credentials",
        "brings credentials of its own",
        Dead("transform failed: the header `authorization` is not"),
        || header("Authorization", "Bearer stolen"),
    ),
    case(
        "header-signature",
        "signs in the gateway's name",
        Dead("transform failed: the header `webhook-signature` is not"),
        || header("webhook-signature", "v1,AAAA"),
    ),
    case(
        "header-underscores",
        "names a header in the way that some servers read as another",
        Dead("transform failed: the header `x_forwarded_for` is not"),
        || header("X_Forwarded_For", "127.0.0.1"),
    ),
    case(
        "query-credentials",
        "puts a key of its own before the gateway's into the query",
        Dead("transform failed: the parameter `Api_Key` carries the credential"),
        || {
            let (before, after) = ("scheme = \"standard-webhooks\"", "scheme = \"query\"\nparameter = \"api_key\"");
            craft::pairs_within(Query, &[("Api_Key", "of another account")], &MANIFEST.replace(before, after))
        },
    ),
    case("header-cookie", "brings a cookie", Dead("transform failed: the header `cookie` is not"), || {
        header("cookie", "session=1")
    }),
    case(
        "header-framing",
        "frames the body in another way",
        Dead("transform failed: the header `transfer-encoding` is not"),
        || header("transfer-encoding", "chunked"),
    ),
    case(
        "header-method",
        "makes another method of it",
        Dead("transform failed: the header `x-http-method-override` is not"),
        || header("X-HTTP-Method-Override", "DELETE"),
    ),
    case(
        "header-forwarded",
        "speaks for another client",
        Dead("transform failed: the header `x-forwarded-for` is not"),
        || header("x-forwarded-for", "127.0.0.1"),
    ),
    case("headers-many", "sends 33 headers", Dead("transform failed: more than 32 headers"), || {
        pairs(Headers, &[("a", "b"); 33])
    }),
    case(
        "headers-large",
        "sends a header of 17 kB",
        Dead("transform failed: the headers have more than 16384 bytes"),
        || craft::large_header(17_000),
    ),
    case(
        "query-many",
        "sends 65 parameters",
        Dead("transform failed: more than 32 headers or 64 query parameters"),
        || pairs(Query, &[("a", "b"); 65]),
    ),
    case("query-fragment", "ends the address by a parameter's name", Nothing, || {
        pairs(Query, &[("#?&x=y", "@evil.example/..")])
    }),
];

/// What it keeps: nothing. Every call has a fresh instance, whose memory nobody had.
const STATE_CASES: &[Case] = &[
    case("state-global", "counts its calls, and fails at the second", Nothing, || {
        Parts {
            transform: &before_the_answer(
                "(if (global.get $calls) (then unreachable)) (global.set $calls (i32.const 1))",
            ),
            extra: "(global $calls (mut i32) (i32.const 0))",
            ..Parts::default()
        }
        .build()
    }),
    case("state-memory", "leaves a mark in its memory, and fails where it finds one", Nothing, || {
        transform(&before_the_answer(
            "(if (i64.ne (i64.load (i32.const 130000)) (i64.const 0)) (then unreachable)) (i64.store (i32.const 130000) (i64.const -1))",
        ))
    }),
    case("state-size", "makes its memory larger, and fails where it is", Nothing, || {
        transform(&before_the_answer(
            "(if (i32.ne (memory.size) (i32.const 2)) (then unreachable)) (drop (memory.grow (i32.const 1)))
            (i64.store (i32.const 196600) (i64.const -1))",
        ))
    }),
    case("state-table", "leaves a function in a table, and fails where it finds one", Nothing, || {
        Parts {
            transform: &before_the_answer(
                "(if (i32.eqz (ref.is_null (table.get $marks (i32.const 0)))) (then unreachable))
                (table.set $marks (i32.const 0) (ref.func $alloc))",
            ),
            extra: "(table $marks 1 funcref) (elem declare func $alloc)",
            ..Parts::default()
        }
        .build()
    }),
    case("state-classify", "leaves a mark for when it is shown the answer", Nothing, || {
        Parts {
            transform: &before_the_answer("(global.set $mark (i32.const 1))"),
            classify: "(if (global.get $mark) (then unreachable)) (call $alloc (i32.const 24))",
            extra: "(global $mark (mut i32) (i32.const 0))",
            ..Parts::default()
        }
        .build()
    }),
    case("state-neighbour", "looks through its memory for what another left", Nothing, || {
        transform(&before_the_answer(
            "(local.set $body (i32.const 65536))
            (if (i32.ne (memory.grow (i32.const 4)) (i32.const 2)) (then unreachable))
            (loop $next
                (if (i64.ne (i64.load (local.get $body)) (i64.const 0)) (then unreachable))
                (local.set $body (i32.add (local.get $body) (i32.const 8)))
                (br_if $next (i32.lt_u (local.get $body) (i32.const 393216))))",
        ))
    }),
];

/// All of them, in chapters.
pub(crate) const CHAPTERS: &[(&str, &str, &[Case])] = &[
    ("Time", "Every call has the milliseconds of the manifest, and a stack of its own.", TIME_CASES),
    ("Memory", "All memories and tables together have the bytes of the manifest.", MEMORY_CASES),
    ("Results", "Every byte is counted before it is copied, and every value is checked.", RESULT_CASES),
    ("Imports", "There is nothing to be had from outside.", IMPORT_CASES),
    ("Exports", "The contract's interface, with the contract's types.", EXPORT_CASES),
    ("Form", "A component, whole.", FORM_CASES),
    ("Manifest", "One, of the outermost component; the lock holds what was approved.", MANIFEST_CASES),
    ("Requests", "To an endpoint of the manifest, without credentials, lines or ways up.", REQUEST_CASES),
    ("State", "A fresh instance for every call, in memory that nobody had.", STATE_CASES),
];

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    CHAPTERS.iter().flat_map(|(_, _, cases)| *cases)
}

const DENIED_HOST: End = Dead("transform failed: the header `host` is not a plugin's to set");

fn header(name: &str, value: &str) -> Vec<u8> {
    pairs(Headers, &[(name, value)])
}

/// A request to an endpoint that leaves a part of its path to the plugin.
fn row(value: &str) -> Vec<u8> {
    let manifest = MANIFEST.replace("platform.example/events", "platform.example/rows/{row}/events");
    craft::pairs_within(Path, &[("row", value)], &manifest)
}

/// A refusal of the event, with this reason.
fn refusing(reason: &str) -> Vec<u8> {
    let data: String = reason.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let transform = format!(
        "(i32.store8 (i32.const 2560) (i32.const 1)) (i32.store8 offset=4 (i32.const 2560) (i32.const 1))
        (i32.store offset=8 (i32.const 2560) (i32.const 512)) (i32.store offset=12 (i32.const 2560) (i32.const {}))
        (i32.const 2560)",
        reason.len()
    );
    Parts { transform: &transform, data: &data, ..Parts::default() }.build()
}

/// Makes NaNs in every way that gives one, and fails where any has other bits than the one that everybody has.
fn nan() -> Vec<u8> {
    let (zero, given) = ("(f64.const 0)", "(f64.load (i32.const 512))");
    let ways = [
        format!("(f64.div {zero} {zero})"),
        "(f64.sub (f64.const inf) (f64.const inf))".to_owned(),
        "(f64.sqrt (f64.const -1))".to_owned(),
        format!("(f64.add {given} (f64.const 1))"),
        format!("(f64.mul {given} {given})"),
        format!("(f64.min {given} {zero})"),
        format!("(f64.promote_f32 (f32.demote_f64 {given}))"),
    ];
    let check = ways.map(|way| {
        format!("(if (i64.ne (i64.reinterpret_f64 {way}) (i64.const 0x7ff8000000000000)) (then unreachable))")
    });
    let transform = before_the_answer(&check.concat());
    // A NaN that carries data.
    Parts { transform: &transform, data: r"\ef\be\ad\de\00\00\f4\7f", ..Parts::default() }.build()
}

/// A component that exports the contract's interface, made of this.
fn interface(definitions: &str, exports: &str) -> String {
    let world = MANIFEST.lines().find_map(|line| line.strip_prefix("world = \"")).unwrap().trim_end_matches('"');
    let name = world.replace("destination@", "destination/plugin@");
    format!("(component {definitions} (instance $i {exports}) (export \"{name}\" (instance $i)))")
}

fn other_world(line: &str) -> &str {
    if line.starts_with("world") { "world = \"tidegate:destination@9.9.9\"" } else { line }
}
