//! What an event is said to have given a plugin: what is granted and there, in its form, and nothing else.

use tidegate_plugin_sdk::manifest::Form;

use super::*;

const DIGEST: &str = "as = \"sha256\"";

/// What is given of an event, digests with a `#` before them.
fn given(fields: &[&str], event: &Event) -> Vec<String> {
    let projection = reading(fields);
    let given = projection.given(&projection.apply(event)).into_iter();
    given.map(|granted| format!("{}{}", if granted.form == Form::Sha256 { "#" } else { "" }, granted.field)).collect()
}

#[test]
fn everything_that_is_granted_and_there_is_given_by_its_name() {
    let mut all: Vec<&str> = EVERYTHING.to_vec();
    all.sort_unstable();
    assert_eq!(given(EVERYTHING, &event()), all);
    assert_eq!(given(&[], &event()), [""; 0]);
}

#[test]
fn what_is_not_there_is_not_given() {
    let fields = ["user.email", "user.phone", "client.ip", "click.gclid", "cookie._fbp", "properties.tax", "session"];
    let bare = Event {
        identifiers: [("phone".to_owned(), "+436601234567".to_owned())].into(),
        clicks: Vec::new(),
        cookies: Default::default(),
        client: Client::default(),
        session: None,
        properties: object(json!({"coupon": "tax"})),
        ..event()
    };
    assert_eq!(given(&fields, &bare), ["user.phone"]);
}

#[test]
fn what_the_consent_withholds_is_not_given() {
    let fields = ["user.email", "user.anonymous_id", "client.ip", "click.*", "cookie.*", "page.url", "event.value"];
    let at = |level| Event { consent: Consent::at(level, Signal::Event), ..event() };
    assert_eq!(given(&fields, &at(Level::Marketing)).len(), 7);
    let analytics = ["cookie.*", "event.value", "page.url", "user.anonymous_id"];
    assert_eq!(given(&fields, &at(Level::Analytics)), analytics);
    assert_eq!(given(&fields, &at(Level::None)), [""; 0]);
}

#[test]
fn the_form_is_that_of_the_grant() {
    let email = format!("user.email={DIGEST}");
    assert_eq!(given(&[&email, "user.phone"], &event()), ["#user.email", "user.phone"]);
}

#[test]
fn a_family_is_given_by_what_has_no_grant_of_its_own() {
    let email = format!("user.email={DIGEST}");
    let only_email = Event { anonymous_id: None, user_id: None, ..with_identifier("email", "a@b.example") };
    assert_eq!(given(&["user.*", &email], &only_email), ["#user.email"]);
    let also_phone = Event { anonymous_id: None, user_id: None, ..event() };
    assert_eq!(given(&["user.*", &email], &also_phone), ["user.*", "#user.email"]);
    assert_eq!(given(&["user.*"], &Event { identifiers: Identifiers::new(), ..event() }), ["user.*"]);
}

#[test]
fn patterns_are_given_by_what_they_cover() {
    assert_eq!(given(&["cookie._ga_*", "cookie._gcl_*", "click.fbclid"], &event()), ["click.fbclid", "cookie._ga_*"]);
    assert_eq!(
        given(&["properties.nested", "properties.cou*", "properties.a"], &event()),
        ["properties.cou*", "properties.nested"]
    );
}

#[test]
fn a_users_id_that_stands_in_for_an_external_one_is_given_as_that() {
    let anybody = Event { anonymous_id: None, identifiers: Identifiers::new(), ..event() };
    assert_eq!(given(&["user.external_id"], &anybody), ["user.external_id"]);
}
