//! Text from users and shops made harmless: one line, nothing invisible, no delimiters.

/// Whether a character is invisible and changes how its neighbours are read: controls, line and
/// paragraph separators, marks of direction, zero-width spaces and tags. The joiners U+200C and
/// U+200D stay, since scripts and emoji need them.
pub(crate) fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                // Variation selectors but for the two that choose text or emoji, joiners and fillers
                // that show nothing.
                | '\u{fe00}'..='\u{fe0d}'
                | '\u{e0100}'..='\u{e01ef}'
                | '\u{34f}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{3164}'
                | '\u{ffa0}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Whether nothing is left of a text once it is flattened.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(|character| character.is_whitespace() || is_invisible(character))
}

/// Appends the text on one line: runs of white space and controls become one space, other invisible
/// characters go, and no space stands at either end. Characters on the left of a pair become those
/// on its right.
pub(crate) fn flatten_into(out: &mut String, text: &str, replace: &[(char, char)]) {
    let words = text
        .split(|character: char| character.is_whitespace() || character.is_control())
        .filter(|word| !word.chars().all(is_invisible));
    for (position, word) in words.enumerate() {
        if position > 0 {
            out.push(' ');
        }
        let visible = word.chars().filter(|&character| !is_invisible(character));
        out.extend(visible.map(|character| {
            replace.iter().find(|(from, _)| *from == character).map_or(character, |&(_, to)| to)
        }));
    }
}
