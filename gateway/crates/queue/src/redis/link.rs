//! Connections to one server, to Sentinel's primary or to a cluster. Runs scripts and reads; reconnects with backoff.
//! Knows nothing of what is stored.
