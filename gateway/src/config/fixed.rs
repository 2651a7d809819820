//! What of a configuration cannot change while the gateway runs: what it listens at, and what the store is made of.

use super::{Backend, Config, Limits};

impl Config {
    /// The keys that are different in another configuration, and are only read at a start.
    pub fn fixed_keys_that_differ(&self, other: &Config) -> Vec<&'static str> {
        let mut keys = Vec::new();
        let mut compare = |key, is_same: bool| keys.extend((!is_same).then_some(key));
        compare("listen.http", self.listen.http == other.listen.http);
        compare("listen.https", self.listen.https == other.listen.https);
        compare("listen.admin", self.listen.admin == other.listen.admin);
        compare("admin.token", self.admin.token == other.admin.token);
        match (&self.store.backend, &other.store.backend) {
            (Backend::Redis(own), Backend::Redis(new)) => {
                compare("store.url", own.address == new.address);
                compare("store.ca_file", own.ca_file == new.ca_file);
                compare("store.prefix", own.prefix == new.prefix);
                compare("store.partitions", own.partitions == new.partitions);
                compare("store.durability_assumed", own.assumed == new.assumed);
                compare("store.timeout_ms", own.timeouts == new.timeouts);
            }
            (own, new) => compare("store.url", own == new),
        }
        compare("store.durability", self.store.durability == other.store.durability);
        compare("store.journal_days", self.store.journal == other.store.journal);
        compare("store.dead_letters_days", self.store.dead_letters_days == other.store.dead_letters_days);
        compare("store.ledger_days", self.store.ledger_days == other.store.ledger_days);
        compare("store.profile_days", self.store.profile_days == other.store.profile_days);
        compare("plugins.cache", self.plugins.cache == other.plugins.cache);
        let (own, new): (&Limits, &Limits) = (&self.limits, &other.limits);
        compare("limits.header_bytes_max", own.header_bytes_max == new.header_bytes_max);
        compare("limits.head_timeout_ms", own.head_timeout_ms == new.head_timeout_ms);
        compare("limits.connections_max", own.connections_max == new.connections_max);
        compare("limits.in_flight_max", own.in_flight_max == new.in_flight_max);
        compare("limits.pending_bytes_max", own.pending_bytes_max == new.pending_bytes_max);
        compare("delivery.response_bytes_max", self.delivery.response_bytes_max == other.delivery.response_bytes_max);
        compare("delivery.shutdown_ms", self.delivery.shutdown_ms == other.delivery.shutdown_ms);
        compare("geo.database", self.geo == other.geo);
        keys
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Surroundings;

    const TEXT: &str = r#"
[listen]
http = "127.0.0.1:8080"
[admin]
token = "a token of the tests"
[store]
url = "redis://localhost:6379"
[visitor]
keys = ["k1:a visitor key of the tests"]
[limits]
body_bytes_max = 2048
[delivery]
attempts_max = 5
[[site]]
name = "shop"
hosts = ["localhost"]
write_keys = ["public-key"]
"#;

    fn differ(from: &str, to: &str) -> Vec<&'static str> {
        let parse = |text: &str| Config::parse(text, Path::new(""), &|_| None).unwrap();
        let changed = TEXT.replace(from, to);
        assert_ne!(changed, TEXT, "{from}");
        parse(TEXT).fixed_keys_that_differ(&parse(&changed))
    }

    #[test]
    fn what_is_read_at_a_start_alone_is_told_by_its_key() {
        assert_eq!(differ("127.0.0.1:8080", "127.0.0.1:8081"), ["listen.http"]);
        assert_eq!(differ("a token of the tests", "another of the tests"), ["admin.token"]);
        assert_eq!(differ("localhost:6379", "localhost:6380"), ["store.url"]);
        assert_eq!(
            differ("[visitor]", "timeout_ms = 99\nprefix = \"p\"\n[visitor]"),
            ["store.prefix", "store.timeout_ms"]
        );
        assert_eq!(
            differ("redis://localhost:6379", "sqlite:tidegate.db"),
            ["store.url", "store.journal_days", "store.ledger_days"]
        );
        assert_eq!(differ("body_bytes_max = 2048", "in_flight_max = 9"), ["limits.in_flight_max"]);
        assert_eq!(differ("attempts_max = 5", "shutdown_ms = 5"), ["delivery.shutdown_ms"]);
    }

    #[test]
    fn what_may_change_at_any_time_is_not() {
        for (from, to) in [
            ("body_bytes_max = 2048", "body_bytes_max = 4096"),
            ("attempts_max = 5", "attempts_max = 6"),
            ("public-key", "another-key"),
            ("k1:a visitor", "k2:a visitor"),
            ("[store]", "[store]\nwaiting_max = 9"),
        ] {
            assert_eq!(differ(from, to), Vec::<&str>::new(), "{to}");
        }
    }

    #[test]
    fn the_operators_address_and_token_are_found_in_a_text_where_all_else_is_wrong() {
        let surroundings = Surroundings { base: Path::new(""), variables: &|_| None, built_in: &[] };
        let broken = "[listen]\nadmin = \"127.0.0.1:7\"\nhtpp = 3\n[admin]\ntoken = \"t\"\n[[site]]\n[[destination]]\n";
        let (address, token) = Config::parse_admin(broken, &surroundings).unwrap();
        assert_eq!((address.to_string().as_str(), token.reveal()), ("127.0.0.1:7", "t"));
        let missing = Config::parse_admin("[listen]\nadmin = \"7\"\n", &surroundings).unwrap_err().to_string();
        assert!(
            missing.contains("is no address for `listen.admin`") && missing.contains("missing `admin.token`"),
            "{missing}"
        );
    }
}
