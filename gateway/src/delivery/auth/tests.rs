//! The schemes that need nothing but their secrets.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, Method};
use url::Url;

use super::*;
use crate::destination::Network;

fn applied(auth: &Auth, secret: &str, body: &str) -> Result<Outgoing, Error> {
    let mut outgoing = Outgoing {
        network: Network::Public,
        method: Method::POST,
        url: Url::parse("https://p.example/x?a=1").unwrap(),
        headers: HeaderMap::new(),
        body: body.to_owned().into(),
        timeout_ms: 1,
        response_bytes_max: 1,
    };
    let secrets: Secrets = [("s".to_owned(), Secret::new(secret))].into();
    match auth {
        Auth::StandardWebhooks { secret: name } => {
            let stamp = webhook::Stamp { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp_s: 1_614_265_330 };
            webhook::sign(reveal(&secrets, name)?, name, stamp, &mut outgoing)?;
        }
        scheme => place::place(scheme, &secrets, &mut outgoing)?,
    }
    Ok(outgoing)
}

#[test]
fn the_standard_webhooks_example_is_signed_as_published() {
    let auth = Auth::StandardWebhooks { secret: "s".into() };
    let outgoing = applied(&auth, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", r#"{"test": 2432232314}"#).unwrap();
    assert_eq!(outgoing.headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_eq!(outgoing.headers["webhook-timestamp"], "1614265330");
}

#[test]
fn two_secrets_sign_both_while_a_key_is_rotated() {
    let auth = Auth::StandardWebhooks { secret: "s".into() };
    let both = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_AAAA";
    let outgoing = applied(&auth, both, r#"{"test": 2432232314}"#).unwrap();
    let signature = outgoing.headers["webhook-signature"].to_str().unwrap();
    assert!(signature.starts_with("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,"), "{signature}");
}

#[test]
fn each_scheme_puts_the_secret_where_it_belongs() {
    let query = applied(&Auth::Query { parameter: "key".into(), secret: "s".into() }, "a&b", "").unwrap();
    assert_eq!(query.url.as_str(), "https://p.example/x?a=1&key=a%26b");
    let bearer = applied(&Auth::Bearer { secret: "s".into() }, "t", "").unwrap();
    assert_eq!(bearer.headers["authorization"], "Bearer t");
    assert!(bearer.headers["authorization"].is_sensitive());
    let basic = applied(&Auth::Basic { user: "s".into(), password: None, optional: false }, "u", "").unwrap();
    assert_eq!(basic.headers["authorization"], "Basic dTo=");
    let path = applied(&Auth::Path { secret: "s".into() }, "T0/B0/a b", "").unwrap();
    assert_eq!(path.url.as_str(), "https://p.example/x/T0/B0/a%20b?a=1");
    let json = applied(&Auth::JsonField { pointer: "/api_key".into(), secret: "s".into() }, "k", r#"{"a":1}"#).unwrap();
    assert_eq!(json.body, r#"{"a":1,"api_key":"k"}"#);
}

#[test]
fn a_secret_that_cannot_be_sent_is_refused_without_being_shown() {
    let error = applied(&Auth::Bearer { secret: "s".into() }, "a\nb", "").unwrap_err();
    assert_eq!(error.to_string(), "secret `s` has characters that no header takes");
    assert!(applied(&Auth::Path { secret: "s".into() }, "T0/../admin", "").is_err());
    assert!(applied(&Auth::StandardWebhooks { secret: "s".into() }, "not base64!", "").is_err());
}

#[test]
fn what_an_answer_repeats_of_a_secret_is_taken_out_of_it() {
    let secrets: Secrets = [("a", "EAAB-token"), ("b", "id")].map(|(n, v)| (n.to_owned(), Secret::new(v))).into();
    let concealed = |body: &str| {
        let headers = vec![("x-echo".to_owned(), body.to_owned())];
        let mut answer = Answer { status: 200, headers, body: body.as_bytes().to_vec() };
        conceal(&mut answer, &Redactor::new(&secrets), &[]);
        let body = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.headers[0].1, body, "nor does a header repeat it");
        body
    };
    assert_eq!(concealed("EAAB-token is no token of id, EAAB-token"), "… is no token of id, …");
    assert_eq!(concealed("EAAB-toke"), "EAAB-toke");
}

#[test]
fn a_secret_is_taken_out_of_an_answer_in_every_form_that_it_was_sent_in() {
    let basic = Auth::Basic { user: "s".into(), password: None, optional: false };
    let secret = "key/with a+b";
    let sent = applied(&basic, secret, "").unwrap().headers;
    let secrets: Secrets = [("s".to_owned(), Secret::new(secret))].into();
    let concealed = |body: &str| {
        let mut answer = Answer { status: 401, headers: Vec::new(), body: body.as_bytes().to_vec() };
        conceal(&mut answer, &Redactor::new(&secrets), &credentials(&sent));
        String::from_utf8(answer.body).unwrap()
    };
    let authorization = sent["authorization"].to_str().unwrap();
    assert_eq!(concealed(&format!("Authorization: {authorization}")), "Authorization: Basic …");
    assert_eq!(concealed(&BASE64_STANDARD.encode(secret)), "…");
    for form in ["key%2Fwith%20a%2Bb", "key%2fwith%20a%2bb", "key%2Fwith+a%2Bb", r"key\/with a+b", secret] {
        assert_eq!(concealed(&format!("/x?key={form}&more")), "/x?key=…&more", "{form}");
    }
}
