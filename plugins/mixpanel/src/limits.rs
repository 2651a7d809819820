//! What Mixpanel refuses for its shape. `/import?strict=1` refuses the event alone, so that the reason here only comes
//! sooner, and names the property.
//!
//! Source: "Import Events", section "High-level requirements".

use tidegate_plugin_sdk::Rejection;

/// "Each event must be smaller than 1MB of uncompressed JSON."
const EVENT_BYTES_MAX: usize = 1_000_000;
/// "Fewer than 255 properties", keys of a nested object, and elements of an array.
pub(crate) const ENTRIES_MAX: usize = 254;
/// "All nested object properties must have … a max nesting depth is 3."
pub(crate) const DEPTH_MAX: usize = 3;

/// Whether a written event is small enough.
pub(crate) fn size(written: &[u8]) -> Result<(), Rejection> {
    if written.len() < EVENT_BYTES_MAX {
        Ok(())
    } else {
        Err(Rejection::invalid("1 MB or larger: Mixpanel refuses it"))
    }
}

/// Whether an event has not too many properties.
pub(crate) fn count(properties: usize) -> Result<(), Rejection> {
    if properties <= ENTRIES_MAX {
        Ok(())
    } else {
        Err(Rejection::invalid("more than 254 properties: Mixpanel refuses it"))
    }
}

/// Whether a property's value, given as JSON, has a shape that Mixpanel takes.
pub(crate) fn value(name: &str, json: &str) -> Result<(), Rejection> {
    let refused =
        |why: &str| Err(Rejection::invalid(["property `", name, "` ", why, ": Mixpanel refuses it"].concat()));
    match shape(json) {
        Some(shape) if shape.entries > ENTRIES_MAX => refused("has more than 254 entries"),
        Some(shape) if shape.depth <= DEPTH_MAX => Ok(()),
        _ => refused("is nested deeper than 3"),
    }
}

/// How a JSON value is built.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Arrays and objects in one another; 0 for a plain value.
    pub(crate) depth: usize,
    /// The most entries that one of them has.
    pub(crate) entries: usize,
}

/// Measures a value by its brackets and commas, without making a tree of it; nothing when it is far too deep.
pub(crate) fn shape(json: &str) -> Option<Shape> {
    const OPEN_MAX: usize = 8;
    let mut shape = Shape::default();
    // For each open array or object, how many entries it has so far.
    let mut open = [0_usize; OPEN_MAX];
    let mut depth: usize = 0;
    let (mut in_text, mut escaped) = (false, false);
    for byte in json.bytes() {
        if in_text {
            (in_text, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
            continue;
        }
        match byte {
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b',' => *open.get_mut(depth.checked_sub(1)?)? += 1,
            byte if byte.is_ascii_whitespace() => {}
            byte => {
                // The first entry has no comma before it.
                if let Some(inner) = depth.checked_sub(1).and_then(|at| open.get_mut(at)) {
                    *inner = (*inner).max(1);
                    shape.entries = shape.entries.max(*inner);
                }
                if matches!(byte, b'{' | b'[') {
                    *open.get_mut(depth)? = 0;
                    depth += 1;
                    shape.depth = shape.depth.max(depth);
                }
                in_text = byte == b'"';
            }
        }
    }
    Some(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_measured_by_its_brackets_and_commas() {
        for (json, depth, entries) in [
            ("1", 0, 0),
            ("\"[{,\\\"[\"", 0, 0),
            ("[]", 1, 0),
            ("[1]", 1, 1),
            ("[ [1,2,3], {\"a\": \"x,y\", \"b\": []} ]", 3, 3),
            ("{\"a\":{\"b\":{\"c\":{}}}}", 4, 1),
        ] {
            assert_eq!(shape(json), Some(Shape { depth, entries }), "{json}");
        }
        assert_eq!(shape(&"[".repeat(9)), None);
    }

    #[test]
    fn what_mixpanel_refuses_is_refused_by_name() {
        let list = |entries: usize| format!("[{}0]", "0,".repeat(entries - 1));
        assert_eq!(value("a", &list(254)), Ok(()));
        assert!(value("a", &list(255)).is_err());
        assert_eq!(value("a", "[[[1]]]"), Ok(()));
        let Err(Rejection::Invalid(reason)) = value("a", "[[[[1]]]]") else { panic!("must be refused") };
        assert_eq!(reason, "property `a` is nested deeper than 3: Mixpanel refuses it");
        assert!(count(254).is_ok() && count(255).is_err());
        assert!(size(&[0; 999_999]).is_ok() && size(&[0; 1_000_000]).is_err());
    }
}
