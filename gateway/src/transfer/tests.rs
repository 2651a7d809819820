//! Lines as they are written, and as each version wrote them.

use super::*;

fn item() -> Item {
    with(&[])
}

/// What versions before the fourth did not have.
fn cancelled() -> Item {
    with(&[(4, StoredState::Cancelled("withdrawn".into()))])
}

fn with(more: &[(u8, StoredState)]) -> Item {
    let key = EntryKey { scope: "shop".into(), id: "e\"1".into() };
    let delivery = |n: u8, payload: &[u8], state| StoredDelivery {
        key: DeliveryKey([n; 16]),
        destination: "hook".into(),
        payload: payload.to_vec(),
        state,
        queued_ms: 3,
        attempts: 2,
        records: vec![b"{}".to_vec()],
    };
    let mut deliveries = vec![
        delivery(1, b"{\"a\":\"\xc3\xa4\\n\"}", StoredState::Waiting(7)),
        delivery(2, &[0xff, 0], StoredState::Delivered),
        delivery(3, b"", StoredState::Dead { reason: "no\nway".into(), died_ms: 9 }),
    ];
    deliveries.extend(more.iter().map(|(n, state)| delivery(*n, b"", state.clone())));
    let record = b"{\"v\":1}".to_vec();
    Item::Entry(StoredEntry { key, affinity: "c".into(), received_ms: 1, record, duplicates: 4, deliveries })
}

fn profile() -> Item {
    let field = ProfileField { name: "n".into(), value: "v".into(), seen_ms: 5 };
    Item::Profile(StoredProfile { key: "shop/user/u".into(), fields: vec![(field, 6)] })
}

fn setting() -> Item {
    Item::Setting(StoredSetting { name: "destination/hook".into(), value: "{\"v\":1}".into() })
}

/// An entry of the egress ledger: of this form, and no other, to the byte.
fn link() -> Link {
    let Line::Ledger { ledger } = read(VERSION_3).swap_remove(1) else { panic!("the ledger comes first") };
    Link::try_from(*ledger).unwrap()
}

/// As the versions write them. Never changed: what is in somebody's file has to be read for ever.
const VERSION_1: &str = include_str!("version-1.jsonl");
const VERSION_2: &str = include_str!("version-2.jsonl");
const VERSION_3: &str = include_str!("version-3.jsonl");
const VERSION_4: &str = include_str!("version-4.jsonl");

fn read(text: &str) -> Vec<Line> {
    text.lines().map(|line| Line::parse(line).unwrap()).collect()
}

#[test]
fn what_version_1_wrote_is_read() {
    let end = Counts { entries: 1, profiles: 1, settings: 0, ledger: 0 };
    let head = Head { tidegate_export: 1, created: "2026-01-15T14:32:00Z".into() };
    assert_eq!(read(VERSION_1), [Line::Head(head), item().into(), profile().into(), Line::End { end }]);
}

#[test]
fn what_version_2_wrote_is_read() {
    let end = Counts { entries: 1, profiles: 1, settings: 1, ledger: 0 };
    let head = Head { tidegate_export: 2, created: "2026-01-15T14:32:00Z".into() };
    let all = [Line::Head(head), item().into(), profile().into(), setting().into(), Line::End { end }];
    assert_eq!(read(VERSION_2), all);
}

#[test]
fn what_version_3_wrote_is_read() {
    let end = Counts { entries: 1, profiles: 1, settings: 1, ledger: 1 };
    let head = Line::Head(Head { tidegate_export: 3, created: "2026-01-15T14:32:00Z".into() });
    let lines = [head, link().into(), item().into(), profile().into(), setting().into(), Line::End { end }];
    assert_eq!(read(VERSION_3), lines);
}

#[test]
fn what_version_4_wrote_is_read_and_written_the_same() {
    assert!(link().is_whole());
    let end = Counts { entries: 1, profiles: 1, settings: 1, ledger: 1 };
    let head = Line::head("2026-01-15T14:32:00Z".into());
    let lines = [head, link().into(), cancelled().into(), profile().into(), setting().into(), Line::End { end }];
    let written: String = lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
    assert_eq!(written, VERSION_4);
    assert_eq!(read(VERSION_4), lines);
}

#[test]
fn a_line_gives_the_item_that_it_was_made_of() {
    for item in [item(), cancelled(), profile(), setting()] {
        let text = serde_json::to_string(&Line::from(item.clone())).unwrap();
        let back = match Line::parse(&text).unwrap() {
            Line::Entry { entry } => entry.into(),
            Line::Profile { profile } => profile.into(),
            Line::Setting { setting } => setting.into(),
            other => panic!("{other:?}"),
        };
        assert_eq!(item, back);
    }
}

#[test]
fn a_line_that_is_no_line_is_said_why() {
    let said = |text: &str| Line::parse(text).unwrap_err().to_string();
    assert!(said(r#"{"entry":{"scope":"s"}}"#).contains("missing field `id`"));
    assert!(said(r#"{"profile":{"key":"k","fields":[],"more":1}}"#).contains("unknown field `more`"));
    assert!(said("{}").contains("missing field `tidegate_export`"));
    assert!(Line::parse("7").is_err());
    assert!(Line::parse(r#"{"entry":{"#).is_err());
}
