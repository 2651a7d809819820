use super::*;

fn parse(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn refusal(text: &str) -> String {
    Address::parse(text).unwrap_err().to_string()
}

#[test]
fn an_address_is_shown_without_its_password() {
    let address = parse("rediss://shop:s%40cret@db.example:6380/3");
    assert_eq!(address.to_string(), "rediss://shop:***@db.example:6380/3");
    assert_eq!(format!("{address:?}"), "Address(rediss://shop:***@db.example:6380/3)");
    assert_eq!(address.login().password.as_deref(), Some("s@cret"));
    assert!(address.tls());
    assert!(!format!("{:?}", address.login()).contains("cret"));
}

#[test]
fn ports_and_database_have_defaults() {
    let address = parse("redis://localhost");
    assert_eq!(address.to_string(), "redis://localhost:6379/0");
    assert_eq!(parse("redis+sentinel://a,b:1/m").to_string(), "redis+sentinel://a:26379,b:1/m/0");
    assert_eq!(parse("redis+cluster://a,b/").to_string(), "redis+cluster://a:6379,b:6379");
}

#[test]
fn valkey_is_another_name_for_redis() {
    assert_eq!(parse("valkey://a"), parse("redis://a"));
    assert_eq!(parse("valkeys+cluster://a"), parse("rediss+cluster://a"));
    assert_eq!(parse("VALKEYS://a"), parse("rediss://a"));
}

#[test]
fn sentinels_have_a_login_of_their_own() {
    let address = parse("redis+sentinel://:pw@a,b,c/main/2?sentinel_username=watch&sentinel_password=%3Fx");
    assert_eq!(address.kind(), &Kind::Sentinel { service: "main".to_owned() });
    assert_eq!(address.database(), 2);
    assert_eq!(address.sentinel_login().user.as_deref(), Some("watch"));
    assert_eq!(address.sentinel_login().password.as_deref(), Some("?x"));
    assert_eq!(address.login().user, None);
    assert_eq!(address.to_string(), "redis+sentinel://:***@a:26379,b:26379,c:26379/main/2");
}

#[test]
fn ipv6_hosts_stand_in_brackets() {
    let address = parse("redis+cluster://[::1]:7000,[2001:db8::2]");
    assert_eq!(address.nodes()[0], Node { host: "::1".to_owned(), port: 7000 });
    assert_eq!(address.to_string(), "redis+cluster://[::1]:7000,[2001:db8::2]:6379");
    assert!(refusal("redis://::1:6379").contains("in brackets"));
    assert!(refusal("redis://[::1").contains("close the bracket"));
    assert!(refusal("redis://[db]:1").contains("IPv6"));
}

#[test]
fn odd_addresses_are_refused_with_the_way_to_mend_them() {
    for (text, expected) in [
        ("localhost:6379", "has no scheme"),
        ("http://localhost", "unknown scheme `http`"),
        ("redis+ring://localhost", "unknown scheme `redis+ring`"),
        ("redis://", "has the host ``"),
        ("redis://a,b", "several hosts"),
        ("redis://a:0", "wrong port"),
        ("redis://a:70000", "wrong port"),
        ("redis://a/first", "`first` in the place of the database"),
        ("redis+cluster://a/1", "database 1 of a cluster"),
        ("redis+sentinel://a,b", "Sentinel's service"),
        ("redis://a?timeout=3", "unknown parameter `timeout`"),
        ("redis://a?sentinel_password=x", "unknown parameter"),
        ("redis+sentinel://a/m?sentinel_username=x", "alone"),
        ("redis+cluster://a,,b", "has the host ``"),
        ("redis://user@a", "user without a password"),
        ("redis://:p%zz@a", "wrong percent-encoding in the password"),
        ("redis://a#b", "contains a `#`"),
    ] {
        let message = refusal(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn a_refusal_never_shows_the_password() {
    for text in [
        "redis://u:hunter%2@a",
        "redis://u:hunter2@a/x",
        "redis://u:hunter2@a:x",
        "redis+zz://u:hunter2@a",
        "redis://u:hunter?2@a",
    ] {
        assert!(!refusal(text).contains("hunter"), "{text}");
    }
}
