//! The contract's types and its export, generated from `wit/destination.wit`.
#![allow(unsafe_code, unreachable_pub, clippy::allow_attributes_without_reason, reason = "generated")]

wit_bindgen::generate!({
    path: "../wit/destination.wit",
    world: "destination",
    pub_export_macro: true,
    export_macro_name: "__export_destination",
    default_bindings_module: "tidegate_plugin_sdk::bindings",
    additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
});

pub use exports::tidegate::destination::plugin as types;
