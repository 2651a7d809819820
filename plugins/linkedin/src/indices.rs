//! Which events of a batch LinkedIn's words are about. It refuses a whole batch for some of its events, and names them
//! in a sentence, in one of two forms:
//!
//! - 422, `Index: 0, ERROR :: /conversionValue/amount :: field is required but not found and has no default
//!   value\nERROR :: /user/userInfo/firstName :: …\nIndex: 3, ERROR :: …\n`: an index opens its event's lines;
//! - 400, `Conversion time should be within 90 days and not exceed current time, indices [0, 3] (0-indexed).`

/// What is wrong with each event of the batch, by its place; nothing where the words name no event of it.
pub(crate) fn faults(message: &str, count: u32) -> Option<Vec<Option<&str>>> {
    let mut faults = vec![None; count as usize];
    let mut note = |index: &str, what| {
        let slot = index.trim().parse::<usize>().ok().and_then(|index| faults.get_mut(index))?;
        *slot = Some(what);
        Some(())
    };
    // One index that is out of the batch makes all of them doubtful.
    match list(message) {
        Some(indices) => indices.split(',').try_for_each(|index| note(index, message))?,
        None => sections(message).try_for_each(|(index, what)| note(index, what))?,
    }
    faults.iter().any(Option::is_some).then_some(faults)
}

/// The numbers of `indices [0, 3]`.
fn list(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("indices [")?;
    rest.split_once(']').map(|(indices, _)| indices)
}

/// Each `Index: n, …` and what it says, up to the next.
fn sections(message: &str) -> impl Iterator<Item = (&str, &str)> {
    message.split("Index: ").skip(1).map(|section| {
        let (index, what) = section.split_once(',').unwrap_or((section, ""));
        (index, what.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_opens_its_events_lines() {
        let message = "Index: 0, ERROR :: /a :: missing\nERROR :: /b :: missing\nIndex: 2, ERROR :: /c :: odd\n";
        let expected = vec![Some("ERROR :: /a :: missing\nERROR :: /b :: missing"), None, Some("ERROR :: /c :: odd")];
        assert_eq!(faults(message, 3), Some(expected));
    }

    #[test]
    fn a_list_names_several_at_once() {
        let message = "Conversion time should be within 90 days, indices [0, 2] (0-indexed).";
        assert_eq!(faults(message, 3), Some(vec![Some(message), None, Some(message)]));
    }

    #[test]
    fn words_that_name_no_event_of_the_batch_say_nothing() {
        for message in
            ["", "No ad accounts found", "Index: 3, ERROR :: x", "Index: x, y", "indices []", "indices [0, 9]"]
        {
            assert_eq!(faults(message, 3), None, "{message}");
        }
    }
}
