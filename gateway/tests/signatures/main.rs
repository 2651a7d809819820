//! Signatures of plugins as an operator meets them, made by the real minisign: what nobody vouches for is not even parsed.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on has failed")]

mod site;

use serde_json::Value;

use site::{Site, pinned};

const NO: i32 = 1;
const USAGE: i32 = 64;
const DATA: i32 = 65;
const NOT_FOUND: i32 = 66;

const REQUIRED: &str = "signatures = \"required\"";

#[test]
fn a_signed_plugin_runs_and_an_unsigned_one_does_not_where_signatures_are_required() {
    let site = Site::new();
    let key = site.key("acme");
    site.configure(&format!("[plugins]\n{REQUIRED}\n{}", site::publisher("acme", &[&key], &[])), "");
    let said = site.refused();
    assert!(
        said.contains("plugin file `hook.wasm` refused: it is not signed: there is no `hook.wasm.minisig`"),
        "{said}"
    );
    assert!(said.contains("hint: put the publisher's `.minisig` beside the file"), "{said}");
    assert!(!said.contains("`chat`"), "a built-in plugin is part of the gateway's release: {said}");
    site.sign("acme", "hook.wasm", "");
    site.accepted();
}

#[test]
fn nothing_is_parsed_of_what_nobody_vouches_for() {
    let site = Site::new();
    let key = site.key("acme");
    site.write("hook.wasm", b"these bytes are no component at all");
    site.configure(&format!("[plugins]\n{REQUIRED}\n{}", site::publisher("acme", &[&key], &[])), "");
    let unsigned = site.refused();
    site.key("mallory");
    site.sign("mallory", "hook.wasm", "");
    let unknown = site.refused();
    site.sign("acme", "hook.wasm", "");
    let genuine = site.refused();
    site.write("hook.wasm", b"these bytes are no component either");
    let forged = site.refused();
    for (said, expected) in
        [(unsigned, "it is not signed"), (unknown, "which is no publisher's"), (forged, "its signature by `acme`")]
    {
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("component"), "it was parsed before it was verified: {said}");
    }
    assert!(genuine.contains("not a WebAssembly component"), "only then is it parsed: {genuine}");
}

#[test]
fn a_changed_component_and_a_swapped_signature_are_refused() {
    let site = Site::new();
    let key = site.key("acme");
    site.configure(&format!("[plugins]\n{}", site::publisher("acme", &[&key], &[])), "");
    site.sign("acme", "hook.wasm", "");
    site.accepted();
    let genuine = site.read("hook.wasm");
    let mut changed = genuine.clone();
    *changed.last_mut().unwrap() ^= 1;
    site.write("hook.wasm", &changed);
    let said = site.refused();
    assert!(said.contains("is not of this file: it was changed, or the signature was"), "{said}");

    site.write("hook.wasm", &genuine);
    site.write("other.wasm", &changed);
    site.sign("acme", "other.wasm", "");
    site.write("hook.wasm.minisig", &site.read("other.wasm.minisig"));
    assert!(site.refused().contains("is not of this file"));

    site.sign("acme", "hook.wasm", "");
    let signature = String::from_utf8(site.read("hook.wasm.minisig")).unwrap();
    for broken in ["", "no signature", &signature[..signature.len() / 2]] {
        site.write("hook.wasm.minisig", broken.as_bytes());
        let said = site.refused();
        assert!(said.contains("its signature is none of minisign's"), "{said}");
    }
    let comment = signature.replace("file:hook.wasm", "file:trust.wasm");
    assert_ne!(comment, signature);
    site.write("hook.wasm.minisig", comment.as_bytes());
    assert!(site.refused().contains("or the signature was"), "what the signer wrote is signed too");
    site.write("hook.wasm.minisig", &vec![b'a'; 20 << 10]);
    assert!(site.refused().contains("it is too long"));
}

#[test]
fn a_signature_of_the_old_form_is_refused() {
    let site = Site::new();
    let key = site.key("acme");
    site.configure(&format!("[plugins]\n{}", site::publisher("acme", &[&key], &[])), "");
    site.sign("acme", "hook.wasm", "-l");
    let said = site.refused();
    assert!(said.contains("of the old form") && said.contains("hint: have it signed again"), "{said}");
}

#[test]
fn a_destination_may_say_whose_its_plugin_has_to_be() {
    let site = Site::new();
    let (acme, other) = (site.key("acme"), site.key("other"));
    let publishers = site::publisher("acme", &[&acme], &[]) + &site::publisher("other", &[&other], &[]);
    site.configure(&format!("[plugins]\n{publishers}"), &pinned("acme"));
    assert!(site.refused().contains("it is not signed"), "who is named has to have signed");
    site.sign("other", "hook.wasm", "");
    let said = site.refused();
    assert!(said.contains("it is signed by `other`; the configuration wants `acme`"), "{said}");
    site.sign("acme", "hook.wasm", "");
    site.accepted();
    site.configure(&format!("[plugins]\n{publishers}"), &pinned("acmee"));
    let said = site.refused();
    assert!(said.contains("unknown publisher `acmee`") && said.contains("did you mean `acme`?"), "{said}");
}

#[test]
fn a_key_is_rotated_without_a_restart_that_fails() {
    let site = Site::new();
    let (old, new) = (site.key("old"), site.key("new"));
    let rotate = |keys: &[&str], retired: &[&str]| {
        site.configure(&format!("[plugins]\n{REQUIRED}\n{}", site::publisher("acme", keys, retired)), "");
    };
    rotate(&[&old], &[]);
    site.sign("old", "hook.wasm", "");
    site.approve();
    rotate(&[&old, &new], &[]);
    site.accepted();
    // The old key signs nothing new any more, and what was approved goes on running.
    rotate(&[&new], &[&old]);
    site.accepted();
    let lock = site.read("tidegate.lock");
    std::fs::remove_file(site.path("tidegate.lock")).unwrap();
    let said = site.refused();
    assert!(said.contains("with the retired key") && said.contains("the lock does not hold this file"), "{said}");
    site.write("tidegate.lock", &lock);
    let first = site.read("hook.wasm");
    site.rebuild("0.2.0");
    site.sign("old", "hook.wasm", "");
    let said = site.refused();
    assert!(said.contains("with the retired key"), "{said}");
    assert!(site.run(&["plugin", "approve", "--all", "--by", "anna", "--yes"]).2.contains("with the retired key"));
    // The same file signed with the new key is what was approved: nobody has to approve it again.
    site.write("hook.wasm", &first);
    site.sign("new", "hook.wasm", "");
    site.accepted();
    // A key that was stolen is taken out, and what it signed does not start.
    rotate(&[&new], &[]);
    site.accepted();
    site.sign("old", "hook.wasm", "");
    assert!(site.refused().contains("which is no publisher's"));
}

#[test]
fn the_lock_keeps_who_signed_and_another_publisher_widens() {
    let site = Site::new();
    let (acme, other) = (site.key("acme"), site.key("other"));
    let publishers = site::publisher("acme", &[&acme], &[]) + &site::publisher("other", &[&other], &[]);
    site.configure(&format!("[plugins]\n{publishers}"), "");
    site.sign("acme", "hook.wasm", "");
    site.approve();
    let lock = String::from_utf8(site.read("tidegate.lock")).unwrap();
    let id = site.id("acme");
    assert!(
        lock.contains(&format!("[destination.hook.permissions.signer]\npublisher = \"acme\"\nkey = \"{id}\"")),
        "{lock}"
    );
    site.accepted();
    site.sign("other", "hook.wasm", "");
    let said = site.refused();
    assert!(said.contains("does not cover its plugin: signer: another publisher signed it (acme (key "), "{said}");
    std::fs::remove_file(site.path("hook.wasm.minisig")).unwrap();
    let said = site.refused();
    assert!(said.contains("signer: nobody vouches for it any more"), "{said}");
}

#[test]
fn a_signature_is_verified_by_hand() {
    let site = Site::new();
    let key = site.key("acme");
    let verify = |more: &[&str]| site.run(&[&["plugin", "verify", "hook.wasm"], more].concat());
    assert_eq!(verify(&["--key", &key]).0, Some(NO), "it is not signed");
    site.sign("acme", "hook.wasm", "-tacme hook 0.1.0, reviewed by SEC-17");
    for given in [key.as_str(), "acme.pub"] {
        let (code, stdout, stderr) = verify(&["--key", given]);
        assert_eq!(code, Some(0), "{stderr}");
        assert!(
            stdout.contains(&site.id("acme")) && stdout.contains("it says: acme hook 0.1.0, reviewed by SEC-17"),
            "{stdout}"
        );
    }
    let (code, stdout, _) = verify(&["--key", &key, "--json"]);
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (code, report["key"].as_str(), &report["standing"]),
        (Some(0), Some(site.id("acme").as_str()), &"current".into())
    );
    let other = site.key("other");
    let (code, _, stderr) = verify(&["--key", &other]);
    assert_eq!(code, Some(NO));
    assert!(stderr.contains("which is no publisher's"), "{stderr}");
    assert_eq!(verify(&["--key", "RWQ"]).0, Some(NOT_FOUND));
    site.configure("", "");
    assert_eq!(verify(&[]).0, Some(USAGE), "there is no key to verify by");
    site.configure(&format!("[plugins]\n{}", site::publisher("acme", &[&key], &[])), "");
    assert!(verify(&[]).1.contains("is signed by acme"));
}

#[test]
fn an_audit_says_who_signed_or_that_nobody_did() {
    let site = Site::new();
    let key = site.key("acme");
    let publisher = format!("acme={key}");
    let audit = |more: &[&str]| {
        let (code, stdout, stderr) =
            site.run(&[&["plugin", "audit", "hook.wasm", "slack", "--publisher", &publisher], more].concat());
        (code, stdout + &stderr)
    };
    let (code, said) = audit(&[]);
    assert_eq!(code, Some(0));
    assert_eq!(said.matches("is not signed").count(), 1, "a built-in plugin needs no signature: {said}");
    site.sign("acme", "hook.wasm", "-tfrom the release of May");
    let (code, said) = audit(&[]);
    assert_eq!(code, Some(0));
    assert!(said.contains(&format!("Signed by acme (key {}): from the release of May", site.id("acme"))), "{said}");
    assert!(audit(&["--html"]).1.contains("from the release of May"));
    let report: Value = serde_json::from_str(&audit(&["--json"]).1).unwrap();
    assert_eq!(report["plugins"][0]["signed"]["publisher"], "acme");
    let schema: Value = serde_json::from_str(include_str!("../../../docs/schemas/audit.json")).unwrap();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&report));

    site.write("hook.wasm", b"something else");
    let (code, said) = audit(&[]);
    assert_eq!(code, Some(NO));
    assert!(said.contains("its signature by `acme`") && said.contains("bad-signature"), "{said}");
    assert!(!said.contains("unreadable"), "nothing more of it is looked at: {said}");
}

#[test]
fn mistakes_of_the_configuration_are_told() {
    let site = Site::new();
    let key = site.key("acme");
    let twice = site::publisher("acme", &[&key], &[]) + &site::publisher("other", &[], &[&key]);
    for (plugins, expected) in [
        ("[plugins]\nsignatures = \"always\"".to_owned(), "unknown use of signatures, `always`"),
        (format!("[plugins]\n{twice}"), "is listed twice"),
        (format!("[plugins]\n{}", site::publisher("acme", &["RWQnonsense"], &[])), "is no minisign public key"),
        (format!("[plugins]\n{}", site::publisher("acme", &[], &[])), "a publisher without `keys`"),
        (
            format!("[plugins]\n{}", site::publisher("acme", &[&key], &[]).repeat(2)),
            "a second publisher is named `acme`",
        ),
    ] {
        site.configure(&plugins, "");
        let said = site.refused();
        assert!(said.contains(expected) && said.contains("hint: "), "{said}");
    }
    site.configure(&format!("[plugins]\n{}", site::publisher("acme", &[&key], &[])), "");
    let text = String::from_utf8(site.read("tidegate.toml")).unwrap();
    site.write(
        "tidegate.toml",
        text.replace("plugin = \"slack\"", "plugin = \"slack\"\npublisher = \"acme\"").as_bytes(),
    );
    let said = site.refused();
    assert!(said.contains("of the built-in plugin `slack`"), "{said}");
    assert_eq!(site.run(&["plugin", "audit", "hook.wasm", "--publisher", "acme"]).0, Some(USAGE));
    assert_eq!(site.run(&["plugin", "audit", "hook.wasm", "--publisher", "acme=hook.toml"]).0, Some(NOT_FOUND));
    assert_eq!(site.run(&["plugin", "audit", "hook.wasm", "--publisher", "acme=tidegate.toml"]).0, Some(DATA));
}
