//! What X requires of the conversions in a request. One bad conversion refuses all of them, and every fault is told.

use serde_json::{Map, Value, json};

use crate::form::is_sha256;

const CONVERSIONS_MAX: usize = 500;
/// The fields of a conversion, of an identifier and of a content, by the reference and by the guide for Google Tag Manager.
const FIELDS: [&str; 10] = [
    "contents",
    "conversion_id",
    "conversion_time",
    "description",
    "event_id",
    "event_source_url",
    "identifiers",
    "number_items",
    "price_currency",
    "value",
];
const IDENTIFIERS: [&str; 5] = ["hashed_email", "hashed_phone_number", "ip_address", "twclid", "user_agent"];
const CONTENTS: [&str; 6] =
    ["content_group_id", "content_id", "content_name", "content_price", "content_type", "num_items"];

/// Why a request is refused.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) message: String,
    parameter: &'static str,
}

impl Fault {
    pub(super) fn of(code: &'static str, message: impl Into<String>, parameter: &'static str) -> Fault {
        Fault { code, message: message.into(), parameter }
    }

    fn invalid(message: impl Into<String>, parameter: &'static str) -> Fault {
        Fault::of("INVALID_PARAMETER", message, parameter)
    }

    pub(super) fn json(&self) -> Value {
        json!({ "code": self.code, "message": self.message, "parameter": self.parameter })
    }
}

/// The conversions of a request for this pixel, if none has a fault; `now_ms` is Unix time.
pub(super) fn request<'a>(body: Option<&'a Value>, pixel: &str, now_ms: i64) -> Result<&'a [Value], Vec<Fault>> {
    let Some(conversions) = body.and_then(|body| body["conversions"].as_array()) else {
        return Err(vec![Fault::of("MISSING_PARAMETER", "conversions is required", "conversions")]);
    };
    if conversions.is_empty() || conversions.len() > CONVERSIONS_MAX {
        return Err(vec![Fault::invalid("Conversion count limit is 500", "conversions")]);
    }
    let faults: Vec<Fault> = conversions.iter().flat_map(|one| conversion(one, pixel, now_ms)).collect();
    if faults.is_empty() { Ok(conversions) } else { Err(faults) }
}

fn conversion(conversion: &Value, pixel: &str, now_ms: i64) -> Vec<Fault> {
    let mut faults = Vec::new();
    let time = conversion["conversion_time"].as_str().unwrap_or_default();
    if !is_time(time) {
        let message = format!("Expected Time in yyyy-MM-ddTHH:mm:ss.SSSZ, got \"{time}\" for conversion_time");
        faults.push(Fault::invalid(message, "conversion_time"));
    } else if time > iso8601_s(now_ms.div_euclid(1000) + 60).as_str() {
        faults.push(Fault::invalid("conversion_time is in the future", "conversion_time"));
    }
    faults.extend(event_id(conversion["event_id"].as_str().unwrap_or_default(), pixel));
    faults.extend(identifiers(&conversion["identifiers"]));
    let is_positive = |number: &Value| number.as_u64().is_some_and(|number| number > 0);
    if conversion.get("number_items").is_some_and(|number| !is_positive(number)) {
        faults.push(Fault::invalid("number_items must be a positive integer", "number_items"));
    }
    let is_number = |value: &Value| value.is_number() || value.as_str().is_some_and(|text| text.parse::<f64>().is_ok());
    if conversion.get("value").is_some_and(|value| !is_number(value)) {
        faults.push(Fault::invalid("Expected Double for value", "value"));
    }
    let is_currency = |code: &str| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    if conversion.get("price_currency").is_some_and(|code| !code.as_str().is_some_and(is_currency)) {
        faults.push(Fault::invalid("price_currency is no ISO 4217 code", "price_currency"));
    }
    for content in conversion["contents"].as_array().into_iter().flatten() {
        if content.get("content_price").is_some_and(|price| !price.is_number()) {
            faults.push(Fault::invalid("Expected Double for content_price", "content_price"));
        }
        if content.get("num_items").is_some_and(|number| number.as_u64().is_none()) {
            faults.push(Fault::invalid("Expected Integer for num_items", "num_items"));
        }
    }
    faults
}

/// `o87ne`, or `tw-<pixel>-<event>` with this pixel.
fn event_id(id: &str, pixel: &str) -> Option<Fault> {
    let event = match id.strip_prefix("tw-").and_then(|rest| rest.split_once('-')) {
        Some((of, event)) if of == pixel => event,
        None => id,
        Some(_) => "",
    };
    match (id, is_base36(event)) {
        ("", _) => Some(Fault::invalid("Event ID was not found", "event_id")),
        (_, true) => None,
        _ => Some(Fault::of("NOT_FOUND", format!("event_id ({id}) does not belong to provided account"), "event_id")),
    }
}

fn identifiers(list: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    let given: Vec<(&String, &str)> = list
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flat_map(Map::iter)
        .map(|(name, value)| (name, value.as_str().unwrap_or_default()))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    for (name, value) in &given {
        match name.as_str() {
            "hashed_email" if !is_sha256(value) => {
                faults.push(Fault::invalid(
                    format!("hashed_email ({value}) is not a valid SHA-256 hash"),
                    "hashed_email",
                ));
            }
            "hashed_phone_number" if !is_sha256(value) => {
                let message = format!("hashed_phone_number ({value}) is not a valid SHA-256 hash");
                faults.push(Fault::invalid(message, "hashed_phone_number"));
            }
            "ip_address" if value.parse::<std::net::Ipv4Addr>().is_err() => {
                faults.push(Fault::invalid(format!("ip_address ({value}) is not valid"), "ip_address"));
            }
            _ => {}
        }
    }
    let is_lone = given.len() == 1 && matches!(given[0].0.as_str(), "ip_address" | "user_agent");
    if given.is_empty() || is_lone {
        faults.push(Fault::invalid("At least one user identifier must be provided", ""));
    }
    faults
}

/// What X takes without a word and cannot use, or takes for something else.
pub(super) fn silent(index: usize, conversion: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let mut unknown = |value: &Value, known: &[&str]| {
        for field in value.as_object().into_iter().flat_map(Map::keys).filter(|field| !known.contains(&field.as_str()))
        {
            problems.push(format!("conversions[{index}] has the unknown field {field}"));
        }
    };
    unknown(conversion, &FIELDS);
    for (list, known) in [("identifiers", &IDENTIFIERS[..]), ("contents", &CONTENTS[..])] {
        conversion[list].as_array().into_iter().flatten().for_each(|entry| unknown(entry, known));
    }
    let prices = conversion["contents"].as_array().into_iter().flatten();
    let has_price = !conversion["value"].is_null() || prices.into_iter().any(|one| !one["content_price"].is_null());
    if has_price && conversion["price_currency"].is_null() {
        problems.push(format!("conversions[{index}] has a price without a currency: X takes US dollars"));
    }
    if conversion["conversion_id"].is_null() {
        problems.push(format!("conversions[{index}] has no conversion_id, so that one that comes twice counts twice"));
    }
    problems
}

pub(super) fn is_base36(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

/// `2022-02-18T01:14:00.603Z`.
fn is_time(text: &str) -> bool {
    const FORM: &[u8] = b"0000-00-00T00:00:00.000Z";
    let fits = |(byte, form): (u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == *form };
    text.len() == FORM.len() && text.bytes().zip(FORM).all(fits)
}

/// Unix seconds in the same form, by Howard Hinnant's `civil_from_days`: such texts compare as their times do.
fn iso8601_s(at_s: i64) -> String {
    let (days, in_day) = (at_s.div_euclid(86_400), at_s.rem_euclid(86_400));
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (in_day / 3_600, in_day / 60 % 60, in_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The requests are signed, so that the test which posts every plugin's fixtures leaves this plugin's out.
    #[test]
    fn x_takes_every_conversion_that_the_plugins_fixtures_produce() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/x-ads/fixtures");
        let mut checked = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let fixture: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            for sent in fixture["requests"].as_array().into_iter().flatten() {
                let conversions = request(Some(&sent["body"]), "o8z6j", 1_768_487_522_000);
                let conversions = conversions.unwrap_or_else(|faults| panic!("{}: {faults:?}", path.display()));
                let problems: Vec<String> = conversions.iter().flat_map(|one| silent(0, one)).collect();
                assert_eq!(problems, Vec::<String>::new(), "{}", path.display());
                checked += 1;
            }
        }
        assert!(checked > 10, "only {checked} requests were found");
    }

    #[test]
    fn what_the_document_shows_as_wrong_is_refused_in_its_words() {
        let faults = |id: &str, time: &str, identifier: Value| {
            let body = json!({ "conversions": [
                { "conversion_time": time, "event_id": id, "identifiers": [identifier] },
            ] });
            request(Some(&body), "o8z6j", 1_768_487_522_000).unwrap_err().remove(0).message
        };
        let time = "2022-06-16T01:14:00.603Z";
        let click = json!({ "twclid": "23opevjt88psuo13lu8d020qkn" });
        assert_eq!(faults("o6dl3", time, json!({ "twclid": "" })), "At least one user identifier must be provided");
        assert_eq!(
            faults("o6dl3", time, json!({ "hashed_email": "abc" })),
            "hashed_email (abc) is not a valid SHA-256 hash"
        );
        assert_eq!(
            faults("tw-abc-o6dl3", time, click.clone()),
            "event_id (tw-abc-o6dl3) does not belong to provided account"
        );
        assert_eq!(
            faults("o6dl3", "2022-06-16T01:14:00.603", click.clone()),
            "Expected Time in yyyy-MM-ddTHH:mm:ss.SSSZ, got \"2022-06-16T01:14:00.603\" for conversion_time"
        );
        assert_eq!(faults("o6dl3", "2026-01-15T14:33:03.000Z", click), "conversion_time is in the future");
    }
}
