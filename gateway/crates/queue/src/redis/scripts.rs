//! The scripts, each with what all of them share in front of it.
//!
//! When the server's memory is full, those that make it larger are refused before they begin, and those that deliver
//! and delete still run: that is how it gets room again. So does the one that opens a store, for whoever is to do that.

use std::sync::LazyLock;

use super::script::Script;

const GROWS: &str = "#!lua\n";
const SHRINKS: &str = "#!lua flags=allow-oom\n";

const CORE: &str = include_str!("scripts/core.lua");
const PRELUDE: &str = include_str!("scripts/prelude.lua");

macro_rules! script {
    ($name:ident, $file:literal, $header:expr) => {
        script!($name, $file, $header, PRELUDE);
    };
    ($name:ident, $file:literal, $header:expr, $prelude:expr) => {
        pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            let prelude = format!("{}{CORE}{}", $header, $prelude);
            Script::new($file, &prelude, include_str!(concat!("scripts/", $file, ".lua")))
        });
    };
}

// Each run of a script makes all functions in front of it anew: the one that runs most has few.
script!(USUAL, "usual", GROWS, "");
script!(APPEND, "append", GROWS);
script!(LEASE, "lease", SHRINKS);
script!(SETTLE, "settle", SHRINKS);
script!(RELEASE, "release", SHRINKS);
script!(REPLAY, "replay", GROWS);
script!(PURGE, "replay", SHRINKS);
script!(SWEEP, "sweep", SHRINKS);
script!(PATCH, "patch", GROWS);
script!(LOOK, "look", SHRINKS);
script!(MEND, "mend", SHRINKS);
script!(SET, "set", SHRINKS, "");
script!(OPEN, "open", SHRINKS);
script!(CLEAR, "clear", SHRINKS);
script!(CHAIN_APPEND, "chain_append", SHRINKS, "");
script!(CHAIN_PAGE, "chain_page", SHRINKS);
script!(CHAIN_SWEEP, "chain_sweep", SHRINKS, "");
