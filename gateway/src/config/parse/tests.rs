//! A file with almost every mistake, and one without any.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tidegate_event::Level;
use tidegate_identity::set_cookie::SameSite;

use tidegate_queue::redis::Persistence;
use tidegate_queue::{Cap, WhenFull};

use crate::config::{Backend, Config, Mistakes, PluginSource, Redis, Severity, Store, Surroundings, UNSET};

const DAY: Duration = Duration::from_secs(86_400);

const ISSUE: &str = r#"
[listen]
http = "127.0.0.1:8080"
admin = "127.0.0.1:9090"

[admin]
token = "env:TIDEGATE_ADMIN_TOKEN"

[store]
url = "sqlite:data/tidegate.db"

[visitor]
keys = ["k1:env:TIDEGATE_VISITOR_KEY"]     # the first signs, all verify

[[site]]
name = "shop"
hosts = ["localhost", "127.0.0.1"]
origins = ["http://localhost:8080"]
write_keys = ["demo-write-key"]            # public, for browsers
api_keys = ["env:SHOP_API_KEY"]            # secret, for backends
consent = { default = "none" }

[[destination]]
name = "meta"
site = "shop"
plugin = "meta-capi"                       # a built-in, or a path to a .wasm
config = { pixel_id = "123", api_version = "v26.0" }
secrets = { access_token = "env:META_TOKEN" }
base_url = "http://127.0.0.1:9100"         # replaces scheme and authority
allow_insecure = true
"#;

fn variables(name: &str) -> Option<String> {
    let known = ["TIDEGATE_ADMIN_TOKEN", "TIDEGATE_VISITOR_KEY", "SHOP_API_KEY", "META_TOKEN"];
    known.contains(&name).then(|| format!("value-of-{name}"))
}

fn parse(text: &str) -> Result<Config, Mistakes> {
    let built_in = ["ga4", "meta-capi", "webhook"];
    Config::parse_in(
        text,
        &Surroundings { base: Path::new("/etc/tidegate"), variables: &variables, built_in: &built_in },
    )
}

fn changed(from: &str, to: &str) -> Result<Config, Mistakes> {
    assert!(ISSUE.contains(from), "{from}");
    parse(&ISSUE.replace(from, to))
}

fn said(from: &str, to: &str) -> String {
    changed(from, to).map_or_else(|mistakes| mistakes.to_string(), |config| config.warnings.to_string())
}

#[test]
fn every_mistake_of_a_dreadful_file_is_reported_with_its_line() {
    let mistakes = parse(include_str!("../../../tests/config/dreadful.toml")).unwrap_err();
    assert_eq!(mistakes.to_string(), include_str!("../../../tests/config/dreadful.txt").trim_end());
}

#[test]
fn the_documented_example_parses_without_a_word() {
    let config = parse(ISSUE).unwrap();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert_eq!(config.listen.http, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.listen.admin, "127.0.0.1:9090".parse().unwrap());
    assert_eq!(config.admin.token.reveal(), "value-of-TIDEGATE_ADMIN_TOKEN");
    let Backend::Sqlite { path } = &config.store.backend else { panic!("{:?}", config.store) };
    assert_eq!(*path, PathBuf::from("/etc/tidegate/data/tidegate.db"));
    assert_eq!((config.store.durability, config.store.journal), (tidegate_queue::Level::Fsync, 7 * DAY));
    assert_eq!(config.plugins.cache, PathBuf::from("/etc/tidegate/data/plugin-cache"));
    assert_eq!(config.visitor.keys[0].id, "k1");
    assert_eq!(config.visitor.keys[0].key.reveal(), "value-of-TIDEGATE_VISITOR_KEY");

    let site = config.site("shop").unwrap();
    assert_eq!(site.hosts, ["localhost", "127.0.0.1"]);
    assert_eq!(site.origins, ["http://localhost:8080"]);
    assert_eq!(site.write_keys, ["demo-write-key"]);
    assert_eq!(site.api_keys[0].reveal(), "value-of-SHOP_API_KEY");
    assert_eq!(site.consent.default, Level::None);
    assert_eq!(site.consent.segment_categories["Advertising"], Level::Marketing);

    let meta = &config.destinations[0];
    assert_eq!((meta.name.as_str(), meta.site.as_str(), meta.line), ("meta", "shop", 23));
    assert_eq!(meta.plugin, PluginSource::BuiltIn("meta-capi".into()));
    assert_eq!(meta.config, serde_json::json!({ "pixel_id": "123", "api_version": "v26.0" }));
    assert_eq!(meta.secrets["access_token"].reveal(), "value-of-META_TOKEN");
    assert_eq!(meta.base_url.as_ref().unwrap().as_str(), "http://127.0.0.1:9100/");
    assert!(meta.allow_insecure && meta.enabled && !meta.test_mode);
}

#[test]
fn a_sites_cookies_aliases_and_redirects_are_read() {
    let more = "consent.default = \"none\"\ndomains = [\"shop.example\"]\nclick_aliases = { x = \"gclid\" }\n\
                redirect_hosts = [\"*.shop.example\"]\ncookieless = true\nsame_site = \"none\"";
    let config = changed("consent = { default = \"none\" }", more).unwrap();
    let site = config.site("shop").unwrap();
    assert_eq!(site.domains.iter().map(ToString::to_string).collect::<Vec<_>>(), ["shop.example"]);
    assert_eq!(site.click_aliases.parameter("X"), Some("gclid"));
    assert_eq!((site.cookieless, site.same_site), (true, SameSite::None));
    assert!(config.warnings.to_string().contains("no host of the site is in the domain `shop.example`"));

    let wrong = "domains = [\"github.io\"]\nclick_aliases = { fbclid = \"gclid\" }\nredirect_hosts = [\"*\"]\nsame_site = \"lex\"";
    let said = said("consent = { default = \"none\" }", wrong);
    for part in ["is a private suffix", "is a platform's own parameter", "names no hosts", "did you mean `lax`"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn tables_may_be_written_in_any_way_that_toml_has() {
    let long = "[destination.config]\npixel_id = \"123\"\napi_version = \"v26.0\"\n[destination.secrets]\n";
    let text = ISSUE.replace("config = { pixel_id = \"123\", api_version = \"v26.0\" }\n", "");
    let text = text.replace("secrets = { access_token = \"env:META_TOKEN\" }\n", "");
    let config = parse(&format!("{text}{long}access_token = \"env:META_TOKEN\"")).unwrap();
    assert_eq!(config.destinations[0].config["pixel_id"], "123");
    assert_eq!(config.destinations[0].secrets["access_token"].reveal(), "value-of-META_TOKEN");

    let dotted =
        changed("config = { pixel_id = \"123\", api_version", "config.pixel_id = \"123\"\nconfig = { x").unwrap_err();
    assert!(dotted.to_string().contains("no valid TOML"), "{dotted}");
    assert!(changed("consent = { default = \"none\" }", "consent.default = \"marketing\"").is_ok());
}

#[test]
fn broken_toml_is_said_with_its_line() {
    let said = said("http = \"127.0.0.1:8080\"", "http = \"127.0.0.1:8080");
    assert!(said.starts_with("error: no valid TOML (invalid basic string"), "{said}");
    assert!(said.ends_with("in tidegate.toml, line 3"), "{said}");
}

#[test]
fn an_empty_file_lacks_what_has_no_default() {
    let said = parse("").unwrap_err().to_string();
    for missing in ["missing `admin.token`", "missing `visitor.keys`", "there is no `[[site]]`"] {
        assert!(said.contains(missing), "{said}");
    }
}

#[test]
fn one_table_where_a_list_of_them_belongs_is_explained() {
    let said = said("[[site]]", "[site]");
    assert!(said.contains("error: `site` is a table in tidegate.toml, line 15"), "{said}");
    assert!(said.contains("each beginning with `[[site]]`"), "{said}");
}

#[test]
fn more_domains_than_a_links_token_is_for_are_doubted() {
    let origins = |count: usize| {
        let origins: Vec<String> = (0..count).map(|n| format!("\"https://www.shop{n}.example\"")).collect();
        format!("origins = [{}]", origins.join(", "))
    };
    let own = "origins = [\"http://localhost:8080\"]";
    assert_eq!(said(own, &origins(8)), "");
    let said = |more: &str| said(own, &format!("{}{more}", origins(9)));
    assert!(said("").contains("warning: site `shop` has 9 domains by `hosts` and `origins`"), "{}", said(""));
    assert!(said("").contains("line 18") && said("").contains("hint: "), "{}", said(""));
    assert_eq!(said("\ncookieless = true"), "");
}

#[test]
fn a_secret_is_never_part_of_a_message() {
    let said = said("env:SHOP_API_KEY\"]", "geheim\", \"geheim\", \"geh eim\"]");
    assert!(said.contains("is there twice"), "{said}");
    assert!(!said.contains("geheim") && !said.contains("geh eim"), "{said}");
}

#[test]
fn doubts_do_not_keep_the_gateway_from_starting() {
    let config = changed("site = \"shop\"", "site = \"shop\"\nenabled = false").unwrap();
    assert!(config.warnings.is_empty());
    let config = changed("admin = \"127.0.0.1:9090\"", "admin = \"0.0.0.0:9090\"").unwrap();
    assert_eq!(config.warnings.count(Severity::Warning), 1);
}

#[test]
fn numbers_keep_their_ranges() {
    assert!(said("[visitor]", "waiting_max = -1\n[visitor]").contains("`store.waiting_max = -1` is out of range"));
    assert!(said("[visitor]", "waiting_max = 1.5\n[visitor]").contains("`store.waiting_max` is a fraction"));
    assert_eq!(changed("[visitor]", "waiting_max = 7\n[visitor]").unwrap().store.waiting_max, 7);
}

const SQLITE: &str = "url = \"sqlite:data/tidegate.db\"";

/// The store with these lines instead of its URL.
fn store(lines: &str) -> Result<Store, String> {
    changed(SQLITE, lines).map(|config| config.store).map_err(|mistakes| mistakes.to_string())
}

fn redis(lines: &str) -> Redis {
    match store(lines).map(|store| store.backend) {
        Ok(Backend::Redis(redis)) => *redis,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_redis_has_defaults_that_fit_it() {
    let config = changed(SQLITE, "url = \"redis://127.0.0.1:6379/2\"").unwrap();
    assert_eq!(config.store.journal, Duration::from_secs(3_600), "memory is dear");
    assert_eq!(config.plugins.cache, PathBuf::from("/etc/tidegate/plugin-cache"));
    let Backend::Redis(redis) = &config.store.backend else { panic!("{:?}", config.store) };
    assert_eq!((redis.prefix.as_str(), redis.partitions, redis.assumed), ("tidegate", 8, None));
    assert_eq!((redis.timeouts.connect, redis.timeouts.response), (Duration::from_secs(2), Duration::from_secs(2)));
    assert_eq!(redis.address.database(), 2);
}

#[test]
fn everything_of_a_redis_can_be_said() {
    let config = changed(
        SQLITE,
        "url = \"rediss+cluster://a.example,b.example:7000\"\nusername = \"tide\"\npassword = \"env:META_TOKEN\"\n\
         prefix = \"t:1\"\npartitions = 256\ndurability = \"replicated\"\ndurability_assumed = \"everysec\"\n\
         timeout_ms = 500\nconnect_timeout_ms = 700\njournal_minutes = 5",
    );
    let store = config.unwrap().store;
    assert_eq!((store.durability, store.journal), (tidegate_queue::Level::Replicated, Duration::from_secs(300)));
    let Backend::Redis(redis) = &store.backend else { panic!("{store:?}") };
    assert_eq!((redis.prefix.as_str(), redis.partitions), ("t:1", 256));
    assert_eq!(redis.assumed, Some(Persistence::EverySecond));
    assert_eq!((redis.timeouts.connect.as_millis(), redis.timeouts.response.as_millis()), (700, 500));
    assert!(redis.address.to_string().starts_with("rediss+cluster://tide"), "{}", redis.address);
    assert!(!format!("{store:?}").contains("value-of-META_TOKEN"));
}

#[test]
fn a_user_and_a_password_of_their_own_take_the_place_of_the_urls() {
    let plain = redis("url = \"redis://old:secret@h\"");
    for lines in [
        "url = \"redis://other:else@h\"\nusername = \"old\"\npassword = \"secret\"",
        "url = \"redis://h\"\nusername = \"old\"\npassword = \"secret\"",
        "url = \"redis://old:else@h\"\npassword = \"secret\"",
        "url = \"redis://other:secret@h\"\nusername = \"old\"",
    ] {
        assert_eq!(redis(lines).address, plain.address, "{lines}");
    }
    let odd = redis("url = \"redis+sentinel://h/main?sentinel_password=s\"\npassword = \"p@:/ö%\"");
    assert_eq!(
        odd.address,
        redis("url = \"redis+sentinel://:p%40%3A%2F%C3%B6%25@h/main?sentinel_password=s\"").address
    );
    assert!(store("url = \"redis://h\"\nusername = \"me\"").unwrap_err().contains("a user without a password"));
}

#[test]
fn a_url_may_come_from_a_variable_which_has_to_be_set() {
    let said = store("url = \"env:META_TOKEN\"").unwrap_err();
    assert!(said.contains("`store.url` is no store"), "{said}");
    assert!(!said.contains("value-of"), "it may hold a password: {said}");
    let unset = |name: &str| Some(format!("{UNSET}{name}"));
    let surroundings = Surroundings { base: Path::new("/etc"), variables: &unset, built_in: &["meta-capi"] };
    let said = Config::parse_in(&ISSUE.replace(SQLITE, "url = \"env:STORE_URL\""), &surroundings).unwrap_err();
    assert!(said.to_string().contains("environment variable `STORE_URL` is not set"), "{said}");
}

#[test]
fn what_only_a_redis_has_is_a_mistake_beside_sqlite() {
    let lines = format!("{SQLITE}\nprefix = \"x\"\ntimeout_ms = 100");
    let said = store(&lines).unwrap_err();
    assert!(said.contains("`store.prefix` does not apply to SQLite in tidegate.toml, line 11"), "{said}");
    assert!(said.contains("`store.timeout_ms` does not apply to SQLite in tidegate.toml, line 12"), "{said}");
    let said = store("partitions = 8").unwrap_err();
    assert!(said.contains("`store.partitions` does not apply to SQLite"), "{said}");
    let lines = format!("{SQLITE}\ndurability = \"any\"\njournal_minutes = 90");
    assert_eq!(store(&lines).unwrap().journal, Duration::from_secs(5_400));
}

#[test]
fn authorities_without_encryption_are_a_mistake() {
    let said = store("url = \"redis://h\"\nca_file = \"/etc/hostname\"").unwrap_err();
    assert!(said.contains("`store.ca_file` without TLS"), "{said}");
    assert!(said.contains("rediss://"), "{said}");
}

#[test]
fn a_destination_may_have_a_limit_of_its_own() {
    let add = |lines: &str| changed("allow_insecure = true", &format!("allow_insecure = true\n{lines}"));
    let config = add("waiting_max = 5\nwhen_full = \"dead-letter\"").unwrap();
    let limits = config.queue_limits();
    assert_eq!(limits.destinations["meta"], Cap { waiting_max: 5, when_full: WhenFull::Die });
    assert_eq!(limits.waiting_max, 5_000_000);
    let cap = |lines| add(lines).unwrap().destinations[0].cap;
    assert_eq!(cap("waiting_max = 5").unwrap().when_full, WhenFull::Refuse);
    assert_eq!(cap(""), None);
    let said = add("when_full = \"refuse\"").unwrap_err().to_string();
    assert!(said.contains("`destination.when_full` without `waiting_max`"), "{said}");
    let said = add("waiting_max = 5\nwhen_full = \"dead\"").unwrap_err().to_string();
    assert!(said.contains("unknown way to be full, `dead`"), "{said}");
}
