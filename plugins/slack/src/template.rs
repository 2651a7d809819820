//! Fills in a message: names in braces are replaced by what an event says, escaped as Slack wants text to be.
//!
//! Source: "Formatting text for app surfaces", section "Escaping text": `&`, `<` and `>` control Slack's own markup, so
//! that a product's name can neither call the whole channel (`<!here>`) nor disguise a link.

use tidegate_plugin_sdk::{Event, Item, Rejection, Scalar, items, money, time};

use crate::message::Properties;

/// The names that a message may use.
pub(crate) const NAMES: [&str; 11] =
    ["event", "id", "time", "order_id", "value", "currency", "items", "products", "coupon", "method", "plan"];

/// What stands where an event does not say something.
const UNKNOWN: &str = "—";
/// The longest single value, in characters, and the most products that are named.
const VALUE_CHARS_MAX: usize = 200;
const PRODUCTS_MAX: usize = 10;

/// Fills in a message for an event of this name.
///
/// # Errors
/// When it uses a name that is not known, which the configuration's schema refuses before.
pub(crate) fn fill(
    template: &str,
    name: &str,
    event: &Event,
    properties: &Properties<'_>,
) -> Result<String, Rejection> {
    let mut text = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let (known, after) = after.split_once('}').unwrap_or((after, ""));
        match known {
            "event" => escape(name, &mut text),
            "id" => escape(&event.id, &mut text),
            "time" => text.push_str(&date(event)),
            "order_id" => escape(event.order_id.as_deref().unwrap_or(UNKNOWN), &mut text),
            "value" => text.push_str(&amount(event).unwrap_or_else(|| UNKNOWN.to_owned())),
            "currency" => escape(event.currency.as_deref().unwrap_or(UNKNOWN), &mut text),
            "items" => text.push_str(&items::count(&event.items).to_string()),
            "products" => products(&event.items, &mut text),
            "coupon" => property(&properties.coupon, &mut text),
            "method" => property(&properties.method, &mut text),
            "plan" => property(&properties.plan, &mut text),
            _ => {
                let names = NAMES.join(", ");
                return Err(Rejection::invalid(
                    ["the message for `", name, "` uses `{", known, "}`, which is none of ", &names].concat(),
                ));
            }
        }
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

/// Adds a value to a message: on one line, short, and without meaning to Slack.
pub(crate) fn escape(value: &str, text: &mut String) {
    let value = value.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    let printable = value.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !c.is_control());
    for c in printable.take(VALUE_CHARS_MAX) {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            _ => text.push(c),
        }
    }
}

/// The time in the reader's own time zone ("Date formatting"), and in UTC where it cannot be shown so.
pub(crate) fn date(event: &Event) -> String {
    let seconds = time::seconds(event.at_ms).to_string();
    ["<!date^", &seconds, "^{date_short_pretty} {time}|", &time::iso8601(event.at_ms), ">"].concat()
}

/// `1 × Trail Shoe, 2 × Running Socks`.
pub(crate) fn products(items: &[Item], text: &mut String) {
    if items.is_empty() {
        text.push_str(UNKNOWN);
    }
    for (index, item) in items.iter().take(PRODUCTS_MAX).enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(&items::quantity(item).to_string());
        text.push_str(" × ");
        escape(item.name.as_deref().or(item.id.as_deref()).unwrap_or(UNKNOWN), text);
    }
    if items.len() > PRODUCTS_MAX {
        text.push_str(" and ");
        text.push_str(&(items.len() - PRODUCTS_MAX).to_string());
        text.push_str(" more");
    }
}

/// The event's worth, with at least two decimals where it has any: `149.90`. Nothing without a currency.
fn amount(event: &Event) -> Option<String> {
    let money = money::of(event).filter(|money| money.value.is_finite())?;
    let text = serde_json::to_string(&money.amount()).ok()?;
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    Some(if decimals == 1 { text + "0" } else { text })
}

fn property(value: &Option<Scalar<'_>>, text: &mut String) {
    match value {
        Some(Scalar::Text(value)) if !value.trim().is_empty() => escape(value, text),
        Some(Scalar::Integer(value)) => text.push_str(&value.to_string()),
        Some(Scalar::Number(value)) => text.push_str(&value.to_string()),
        Some(Scalar::Bool(value)) => text.push_str(if *value { "yes" } else { "no" }),
        _ => text.push_str(UNKNOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, event: &Event) -> String {
        fill(template, &event.name, event, &Properties::default()).unwrap()
    }

    #[test]
    fn every_name_that_a_message_may_use_is_filled_in() {
        let template: String = NAMES.iter().map(|name| format!("{{{name}}}")).collect();
        assert!(!filled(&template, &Event::example()).contains("{id}"));
        for name in ["", "Event", "user", "order_id "] {
            assert!(fill(&format!("{{{name}}}"), "x", &Event::example(), &Properties::default()).is_err(), "{name}");
        }
    }

    #[test]
    fn what_an_event_says_can_neither_call_a_channel_nor_make_a_link() {
        let event = Event { order_id: Some("<!here> & <https://evil.example|shop>\n\u{7}".into()), ..Event::example() };
        assert_eq!(filled("{order_id}", &event), "&lt;!here&gt; &amp; &lt;https://evil.example|shop&gt;");
        // The operator's own markup stays.
        assert_eq!(filled("<!channel> *{event}*", &event), "<!channel> *purchase*");
    }

    #[test]
    fn an_amount_has_the_decimals_that_people_expect() {
        let worth = |value: f64, currency: &str| {
            let event = Event { value: Some(value), currency: Some(currency.into()), ..Event::example() };
            filled("{value}", &event)
        };
        assert_eq!(worth(149.9, "EUR"), "149.90");
        assert_eq!(worth(150.0, "EUR"), "150");
        assert_eq!(worth(1999.4, "JPY"), "1999");
        assert_eq!(worth(1.2345, "KWD"), "1.235");
        assert_eq!(filled("{value}", &Event { value: Some(1.0), ..Event::example() }), "—");
    }
}
