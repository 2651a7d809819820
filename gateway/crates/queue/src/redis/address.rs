//! Reads the URL of a store. Never shows a password.
