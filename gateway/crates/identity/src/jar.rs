//! A request's cookies, read once and bounded.

/// How many cookies are looked at.
const COOKIES_MAX: usize = 200;
/// Browsers keep no longer ones.
const PAIR_BYTES_MAX: usize = 4_096;

/// The cookies of one request, in the browser's order: of two with one name the more specific comes first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Jar {
    pairs: Vec<(String, String)>,
}

impl Jar {
    /// Reads the request's `Cookie` lines.
    pub fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Jar {
        let pairs = lines.into_iter().flat_map(|line| line.split(';'));
        let pairs = pairs.filter(|pair| pair.len() <= PAIR_BYTES_MAX).filter_map(|pair| pair.trim().split_once('='));
        Jar { pairs: pairs.take(COOKIES_MAX).map(|(name, value)| (name.to_owned(), value.to_owned())).collect() }
    }

    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// All of them: name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_name_counts_and_values_keep_their_equals_signs() {
        let jar = Jar::read(["a=1; b=x=y;c", " a=2 ; d= "]);
        assert_eq!((jar.get("a"), jar.get("b"), jar.get("c"), jar.get("d")), (Some("1"), Some("x=y"), None, Some("")));
        assert_eq!(jar.iter().count(), 4);
    }

    #[test]
    fn what_no_browser_sends_is_not_kept() {
        let many = "a=1;".repeat(1_000);
        assert_eq!(Jar::read([many.as_str()]).iter().count(), COOKIES_MAX);
        assert_eq!(Jar::read([format!("a={}", "x".repeat(5_000)).as_str()]), Jar::default());
    }
}
