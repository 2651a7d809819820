//! Turns a core module into a checked component that carries its manifest: for build scripts.
