//! The nearest known name, for mistakes that help.

/// The nearest of some names to one that is unknown, if any is near enough to have been meant.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the letters may be wrong; of a short name, one.
    let limit = (unknown.chars().count() / 3).max(1);
    known
        .into_iter()
        .filter(|name| name.len().abs_diff(unknown.len()) <= limit * 4)
        .map(|name| (distance(unknown, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// "did you mean `title`?", where a name is near.
pub(crate) fn did_you_mean<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(unknown, known).map(|name| format!("did you mean `{name}`?"))
}

/// How many letters must be added, taken away, changed or swapped with their neighbour (case aside).
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().map(|letter| letter.to_ascii_lowercase()).collect();
    let right: Vec<char> = right.chars().map(|letter| letter.to_ascii_lowercase()).collect();
    let mut before_previous: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (row, letter) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let replaced = previous[column] + usize::from(letter != other);
            let mut best = replaced.min(previous[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *letter == right[column - 1] && left[row - 1] == *other {
                best = best.min(before_previous[column - 1] + 1);
            }
            current.push(best);
        }
        before_previous = std::mem::replace(&mut previous, current);
    }
    previous[right.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        assert_eq!(nearest("titel", ["title", "tile", "body"]), Some("title"));
        assert_eq!(nearest("listn", ["listen", "list"]), Some("list"));
        assert_eq!(nearest("Author", ["author"]), Some("author"));
        assert_eq!(nearest("xyz", ["author", "body"]), None);
        assert_eq!(nearest("", ["author"]), None);
    }
}
