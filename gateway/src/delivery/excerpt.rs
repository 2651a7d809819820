//! The beginning of an answer, for a person to read: bounded, and without control characters.

/// At most `chars` characters of a body.
pub(super) fn excerpt(body: &[u8], chars: usize) -> String {
    // No character has more than four bytes; the rest of a large body is not even decoded.
    let bytes = &body[..body.len().min(chars.saturating_mul(4))];
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).take(chars).collect()
}
