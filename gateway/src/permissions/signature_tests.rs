//! What minisign's authors publish as examples. With the program itself: `tests/signatures`.

use super::*;

const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const OTHER: &str = "RWQhb1Mp7TmQf3rsIex2JN5nLRPJDtQai9J1AMDR6WKZ5fcvnam+NDwm";
const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\n\
    RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n\
    trusted comment: timestamp:1556193335\tfile:test\n\
    y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==\n";

fn acme(keys: &[&str], retired: &[&str]) -> Publisher {
    let parse = |keys: &[&str]| keys.iter().map(|key| Key::parse(key).unwrap()).collect();
    Publisher { name: "acme".to_owned(), keys: parse(keys), retired_keys: parse(retired) }
}

#[test]
fn the_published_example_fits() {
    let signed = verify(b"test", SIGNATURE, &[acme(&[OTHER, KEY], &[])]).unwrap();
    assert_eq!((signed.signer.publisher.as_str(), signed.standing), ("acme", Standing::Current));
    assert_eq!(signed.signer.key.to_string(), "E7620F1842B4E81F");
    assert_eq!(signed.comment, "timestamp:1556193335\tfile:test");
    let signed = verify(b"test", SIGNATURE, &[acme(&[OTHER], &[KEY])]).unwrap();
    assert_eq!(signed.standing, Standing::Retired);
}

#[test]
fn any_other_byte_does_not() {
    let publishers = [acme(&[KEY], &[])];
    assert!(matches!(verify(b"Test", SIGNATURE, &publishers), Err(Error::Forged { .. })));
    assert!(matches!(verify(b"", SIGNATURE, &publishers), Err(Error::Forged { .. })));
    let comment = SIGNATURE.replace("file:test", "file:Test");
    assert!(matches!(verify(b"test", &comment, &publishers), Err(Error::Forged { .. })));
    assert!(matches!(verify(b"test", SIGNATURE, &[acme(&[OTHER], &[])]), Err(Error::UnknownKey { .. })));
    assert!(matches!(verify(b"test", SIGNATURE, &[]), Err(Error::UnknownKey { .. })));
}

#[test]
fn a_key_of_the_same_id_is_not_the_same_key() {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    let mut forged = BASE64_STANDARD.decode(OTHER).unwrap();
    forged[..10].copy_from_slice(&BASE64_STANDARD.decode(KEY).unwrap()[..10]);
    let publishers = [acme(&[&BASE64_STANDARD.encode(forged)], &[])];
    assert!(matches!(verify(b"test", SIGNATURE, &publishers), Err(Error::Forged { .. })));
}

#[test]
fn what_is_cut_off_anywhere_is_refused_without_a_panic() {
    for end in 0..SIGNATURE.len() - 2 {
        assert!(verify(b"test", &SIGNATURE[..end], &[acme(&[KEY], &[])]).is_err(), "{end}");
    }
}
