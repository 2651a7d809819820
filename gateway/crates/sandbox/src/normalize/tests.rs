//! The platforms' published examples, and what they do not mention.

use sha2::{Digest as _, Sha256};
use tidegate_plugin_sdk::manifest::Normalizer::{self, *};

use super::{apply, apply_phone};
use crate::digest::hex;

// The combinations that the platforms want, as their plugins' manifests list them.
const META_EMAIL: &[Normalizer] = &[Trim, Lowercase];
const META_PHONE: &[Normalizer] = &[Digits, NoLeadingZeros];
const META_NAME: &[Normalizer] = &[Lowercase, NoWhitespace, NoPunctuation];
const META_CITY: &[Normalizer] = &[Lowercase, AsciiAlphanumeric];
const META_STATE: &[Normalizer] = &[Lowercase, TwoLetters];
const META_ZIP: &[Normalizer] = &[Lowercase, NoWhitespace, BeforeHyphen];
const META_EXTERNAL_ID: &[Normalizer] = &[Lowercase, NoWhitespace];
const SNAP_EMAIL: &[Normalizer] = &[Trim, Lowercase];
const SNAP_PHONE: &[Normalizer] = &[Digits, NoLeadingZeros];
const PINTEREST_ZIP: &[Normalizer] = &[Digits];
const TIKTOK_PHONE: &[Normalizer] = &[E164];
const GOOGLE_EMAIL: &[Normalizer] = &[Trim, Lowercase, EmailNoDotsGmail];
const GOOGLE_PHONE: &[Normalizer] = &[E164];
const GOOGLE_REGION: &[Normalizer] = &[Trim, Uppercase];
const REDDIT_EMAIL: &[Normalizer] = &[Trim, Lowercase, EmailNoTag, EmailAlphanumeric];
const MICROSOFT_EMAIL: &[Normalizer] = &[Trim, Lowercase, EmailNoTag, EmailNoDots];
const LINKEDIN_EMAIL: &[Normalizer] = &[Trim, Lowercase];
const X_PHONE: &[Normalizer] = &[E164];

/// The platform's document and field, what it normalises, to what, and the SHA-256 that it prints.
struct Published {
    source: &'static str,
    steps: &'static [Normalizer],
    given: &'static str,
    normalized: &'static str,
    sha256: &'static str,
}

#[rustfmt::skip]
const PUBLISHED: &[Published] = &[
    Published {
        source: "Meta, Conversions API, Customer Information Parameters: em",
        steps: META_EMAIL, given: "John_Smith@gmail.com", normalized: "john_smith@gmail.com",
        sha256: "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f",
    },
    Published {
        source: "Meta, Conversions API, Customer Information Parameters: ph",
        steps: META_PHONE, given: "US (650)555-1212", normalized: "16505551212",
        sha256: "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176",
    },
    Published {
        source: "Meta, Conversions API, Customer Information Parameters: fn",
        steps: META_NAME, given: "Mary", normalized: "mary",
        sha256: "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec",
    },
    Published {
        source: "Meta, Conversions API, Customer Information Parameters: fn",
        steps: META_NAME, given: "정", normalized: "정",
        sha256: "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14",
    },
    Published {
        source: "Meta, Conversions API, Customer Information Parameters: fn",
        steps: META_NAME, given: "Valéry", normalized: "valéry",
        sha256: "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c",
    },
    Published {
        source: "Snap, Conversions API, Data hygiene: em",
        steps: SNAP_EMAIL, given: "Person@Example.com", normalized: "person@example.com",
        sha256: "542d240129883c019e106e3b1b2d3f3cb3537c43c425364de8e951d5a3083345",
    },
    Published {
        source: "Snap, Conversions API, Data hygiene: ph",
        steps: SNAP_PHONE, given: "+44 844 412 4653", normalized: "448444124653",
        sha256: "dc008fda46e2e64002cf2f82a4906236282d431c4f75e5b60bfe79fc48546383",
    },
    Published {
        source: "Google Ads API, Enhanced conversions, Prepare data: e-mail",
        steps: GOOGLE_EMAIL, given: "Jefferson.Loves.hiking@gmail.com", normalized: "jeffersonloveshiking@gmail.com",
        sha256: "515d2f967f73864e76937ab2b897210a86fd286016903b1b08c3da07c75f513e",
    },
    Published {
        source: "Google Ads API, Enhanced conversions, Prepare data: phone",
        steps: GOOGLE_PHONE, given: "1 800 555 0100", normalized: "+18005550100",
        sha256: "fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30",
    },
    Published {
        source: "Reddit, Conversions API, Canonicalise e-mail addresses",
        steps: REDDIT_EMAIL, given: "Al.ice$+Apple@Example.Com", normalized: "alice@example.com",
        sha256: "ff8d9819fc0e12bf0d24892e45987e249a28dce836a85cad60e28eaaa8c6d976",
    },
    Published {
        source: "X, Conversion API, phone_number",
        steps: X_PHONE, given: "+11234567890", normalized: "+11234567890",
        sha256: "1fa6b8d986d9b9cd01bf36951815158bbde9f520c0567c835dfe34783d0a4231",
    },
];

#[test]
fn every_published_example_comes_out_as_published() {
    for Published { source, steps, given, normalized, sha256 } in PUBLISHED {
        let is_phone = source.ends_with(": ph") || source.ends_with("phone") || source.ends_with("phone_number");
        let result = if is_phone { apply_phone(steps, given) } else { apply(steps, given) };
        assert_eq!(result, *normalized, "{source}");
        assert_eq!(hex(&Sha256::digest(result)), *sha256, "{source}");
    }
}

#[test]
fn each_platform_gets_its_own_form() {
    #[rustfmt::skip]
    let cases: &[(&[Normalizer], &str, &str)] = &[
        // The same address, as five platforms want it.
        (META_EMAIL, " Jane.Doe+Shop@GMail.com ", "jane.doe+shop@gmail.com"),
        (LINKEDIN_EMAIL, " Jane.Doe+Shop@GMail.com ", "jane.doe+shop@gmail.com"),
        (GOOGLE_EMAIL, " Jane.Doe+Shop@GMail.com ", "janedoe+shop@gmail.com"),
        (GOOGLE_EMAIL, "Jane.Doe@googlemail.com", "janedoe@googlemail.com"),
        (GOOGLE_EMAIL, "Jane.Doe@example.com", "jane.doe@example.com"),
        (MICROSOFT_EMAIL, " Jane.Doe+Shop@Example.com ", "janedoe@example.com"),
        (REDDIT_EMAIL, " Jane_Doe+Shop@Example.com ", "janedoe@example.com"),
        (META_NAME, "Anne-Marie  O’Neil", "annemarieoneil"),
        (META_NAME, "van der Bellen", "vanderbellen"),
        (META_CITY, "St. Pölten", "stplten"),
        (META_CITY, "New York", "newyork"),
        (META_STATE, " CA", "ca"),
        (META_ZIP, "94035-1234", "94035"),
        (META_ZIP, "M1 1AE", "m11ae"),
        (META_EXTERNAL_ID, "Cust 12345 ", "cust12345"),
        (PINTEREST_ZIP, "94035-1234", "940351234"),
        (GOOGLE_REGION, " ca ", "CA"),
        (&[Trim, Lowercase, FirstLetter], "Female", "f"),
        (&[DateYyyymmdd], "1997-02-16", "19970216"),
        (&[DateYyyymmdd], "1997-02-16T00:00:00.000Z", "19970216"),
        (&[DateYyyymmdd], "19970216", "19970216"),
    ];
    for (steps, given, normalized) in cases {
        assert_eq!(apply(steps, given), *normalized, "{given}");
    }
}

#[test]
fn names_of_other_scripts_keep_their_letters_and_marks() {
    for (given, normalized) in [
        ("ÉLODIE", "élodie"),
        // Decomposed: the accent is a mark of its own.
        ("Vale\u{301}ry", "vale\u{301}ry"),
        ("क्षितिज", "क्षितिज"),
        ("Ὀδυσσεύς", "ὀδυσσεύς"),
        ("محمّد", "محمّد"),
        ("「山田」、太郎", "山田太郎"),
        ("D’Arcy™ 😀", "darcy"),
        ("İpek", "i\u{307}pek"),
        ("\u{a0}José\u{3000}", "josé"),
    ] {
        assert_eq!(apply(META_NAME, given), normalized, "{given}");
    }
}

#[test]
fn what_says_nothing_becomes_empty() {
    #[rustfmt::skip]
    let cases: &[(&[Normalizer], &str)] = &[
        (META_EMAIL, ""), (META_EMAIL, " \t\u{a0}"), (META_PHONE, "n/a"), (META_PHONE, "000"), (META_NAME, " -. "),
        (META_CITY, "東京"), (E164_ONLY, "unknown"), (E164_ONLY, "+"), (E164_ONLY, "06641234567"),
        (E164_ONLY, "+1234567890123456"), (&[DateYyyymmdd], "16.02.1997"), (&[DateYyyymmdd], "1997-13-01"),
        (&[DateYyyymmdd], "1997-2-1"), (&[DateYyyymmdd], "１９９７０２１６"), (&[TwoLetters], "12"), (&[TwoLetters], "Germany"),
        (REDDIT_EMAIL, "+tag@example.com"), (MICROSOFT_EMAIL, "...@example.com"), (REDDIT_EMAIL, "@example.com"),
    ];
    for (steps, given) in cases {
        assert_eq!(apply(steps, given), "", "{given}");
    }
}

const E164_ONLY: &[Normalizer] = &[E164];

#[test]
fn telephone_numbers_are_read_as_people_write_them() {
    for (given, digits, e164) in [
        ("+1 (650) 555-1212", "16505551212", "+16505551212"),
        ("001 650 555 1212", "16505551212", "+16505551212"),
        ("US (650)555-1212", "16505551212", "+16505551212"),
        ("us 1-650-555-1212", "16505551212", "+16505551212"),
        ("US +1 650 555 1212", "16505551212", "+16505551212"),
        ("GB 0844 412 4653", "448444124653", "+448444124653"),
        ("+44 (0)844 412 4653", "448444124653", "+448444124653"),
        ("IT 06 1234 5678", "390612345678", "+390612345678"),
        ("+43 664 1234567 ext. 12", "436641234567", "+436641234567"),
        ("+43 664 1234567 x12", "436641234567", "+436641234567"),
        ("+43 664 1234567;ext=12", "436641234567", "+436641234567"),
        // No country is guessed: the platforms that take bare digits get them, the others nothing.
        ("0664 1234567", "6641234567", ""),
        ("ZZ 0664 1234567", "6641234567", ""),
    ] {
        assert_eq!(apply_phone(META_PHONE, given), digits, "{given}");
        assert_eq!(apply_phone(TIKTOK_PHONE, given), e164, "{given}");
    }
    assert_eq!(apply_phone(&[Trim], " US (650)555-1212 "), "US (650)555-1212", "plain stays as it was written");
}

#[test]
fn what_is_no_address_passes_the_steps_for_addresses() {
    assert_eq!(apply(REDDIT_EMAIL, "No Address"), "no address");
    assert_eq!(apply(GOOGLE_EMAIL, "a.b@c.d@gmail.com"), "ab@cd@gmail.com");
    assert_eq!(apply(MICROSOFT_EMAIL, "a+b+c@example.com"), "a@example.com");
}

#[test]
fn no_steps_change_nothing() {
    assert_eq!(apply(&[], " As It Is "), " As It Is ");
    assert_eq!(apply_phone(&[], "US (650)555-1212"), "US (650)555-1212");
}

#[test]
fn any_text_passes_every_step() {
    const ALL: &[Normalizer] = &[
        Trim,
        Lowercase,
        Uppercase,
        NoWhitespace,
        NoPunctuation,
        Digits,
        NoLeadingZeros,
        AsciiAlphanumeric,
        E164,
        BeforeHyphen,
        TwoLetters,
        FirstLetter,
        DateYyyymmdd,
        EmailNoTag,
        EmailNoDots,
        EmailNoDotsGmail,
        EmailAlphanumeric,
    ];
    for given in ["", "@", "-", "+", "é", "US", "U", "😀😀", "éé1234567", "US é", "\0\u{fffd}", "12345-78é", "a@é@"]
    {
        for step in ALL {
            apply(&[*step], given);
            apply_phone(&[*step, Digits], given);
        }
    }
}
