//! The table of cookies in `docs/guides/collect.md`: made of the data, so that it cannot drift. `TIDEGATE_BLESS=1` writes it.

use std::fmt::Write as _;

use tidegate_event::Mark;
use tidegate_identity::platform::{COOKIES, Cookie, Holds, Readers, Writes};
use tidegate_identity::set_cookie::AGE_MAX_S;

const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/guides/collect.md");
const BEGIN: &str = "<!-- cookies: made by TIDEGATE_BLESS=1 cargo test -p tidegate-identity --test guide -->\n";
const END: &str = "<!-- /cookies -->";

#[test]
fn the_guides_table_of_cookies_is_the_gateways() {
    let written = std::fs::read_to_string(GUIDE).unwrap();
    let (before, rest) = written.split_once(BEGIN).expect("the guide has the table's beginning");
    let (_, after) = rest.split_once(END).expect("the guide has the table's end");
    let made = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os("TIDEGATE_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(GUIDE, made).unwrap();
        return;
    }
    let differs = written.lines().zip(made.lines()).find(|(written, made)| written != made);
    assert!(
        written == made,
        "the cookies in docs/guides/collect.md are not the gateway's any more: {differs:?}\n\
         hint: TIDEGATE_BLESS=1 cargo test -p tidegate-identity --test guide writes them"
    );
}

fn table() -> String {
    let mut text = "| cookie | value | level | life | the gateway |\n|---|---|---|---|---|\n".to_owned();
    let _ = writeln!(
        text,
        "| `__Secure-tg_vid` (`tg_vid` without HTTPS), HttpOnly | `v1.<key>.<uuid>.<seconds>.<mac>` | analytics | {} days | \
         makes it, and signs it anew with the newest key |",
        AGE_MAX_S / 86_400
    );
    for cookie in COOKIES {
        let http_only = if cookie.readers == Readers::Servers { ", HttpOnly" } else { "" };
        let name = cookie.name.replace('*', "<stream>");
        let unsure = if cookie.mark == Mark::Memory { " ¹" } else { "" };
        let (form, level, days, does) = (cookie.form, cookie.level.as_str(), cookie.life_days, does(cookie));
        let _ = writeln!(text, "| `{name}`{http_only} | {form} | {level} | {days} days{unsure} | {does} |");
    }
    text.push_str("\n¹ not checked against a document of the platform.\n");
    text
}

fn does(cookie: &Cookie) -> String {
    match (cookie.holds, cookie.writes) {
        (Holds::Click { kind, .. }, Writes::Makes) => format!("makes it of `{kind}`"),
        (Holds::Session, _) => "sends it again while the session runs".to_owned(),
        (_, Writes::Makes) => "makes it where there is none".to_owned(),
        (_, Writes::Resends) => "only sends it again".to_owned(),
    }
}
