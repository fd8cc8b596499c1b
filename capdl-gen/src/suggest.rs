//! The word the user may have meant.

/// The nearest of `words`, when it is near enough to be a slip of the pen.
pub(crate) fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1) + 1;
    words
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Help for an unknown `word`: the nearest one, or else all there are.
pub(crate) fn help<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let words: Vec<&str> = words.into_iter().collect();
    if let Some(near) = nearest(word, words.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    if words.is_empty() {
        return None;
    }
    Some(format!("known: {}", words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_a_stranger_finds_none() {
        let words = ["image", "priority", "stack"];
        assert_eq!(nearest("priorty", words), Some("priority"));
        assert_eq!(nearest("imgae", words), Some("image"));
        assert_eq!(nearest("colour", words), None);
    }

    #[test]
    fn without_a_near_word_the_help_lists_all() {
        assert_eq!(help("zebra", ["ring", "buffer"]), Some("known: `ring`, `buffer`".to_owned()));
        assert_eq!(help("zebra", []), None);
    }
}
