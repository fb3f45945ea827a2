//! Film titles as people say them: `Usual Suspects, The` is filed under U, but called otherwise.

/// Articles that catalogs of films put behind a comma.
const ARTICLES: [&str; 22] = [
    "The", "A", "An", "Le", "La", "Les", "L'", "Un", "Une", "Il", "Lo", "Gli", "El", "Los", "Las",
    "Der", "Die", "Das", "Ein", "Eine", "Det", "Den",
];

/// Puts the article of a title, and of each other title in parentheses, back to its front.
pub(crate) fn spoken_title(title: &str) -> String {
    let mut spoken = String::with_capacity(title.len());
    let mut rest = title;
    while let Some(end) = rest.find(['(', ')']) {
        push_with_article_first(&mut spoken, &rest[..end]);
        spoken.push_str(&rest[end..=end]);
        rest = &rest[end + 1..];
    }
    push_with_article_first(&mut spoken, rest);
    spoken
}

/// Adds one title, with the white space around it.
fn push_with_article_first(spoken: &mut String, part: &str) {
    let title = part.trim_end();
    match title.rsplit_once(", ") {
        Some((name, article)) if ARTICLES.contains(&article) && !name.trim().is_empty() => {
            let start = name.len() - name.trim_start().len();
            spoken.push_str(&name[..start]);
            spoken.push_str(article);
            if !article.ends_with('\'') {
                spoken.push(' ');
            }
            spoken.push_str(&name[start..]);
            spoken.push_str(&part[title.len()..]);
        }
        _ => spoken.push_str(part),
    }
}

#[cfg(test)]
mod tests {
    use super::spoken_title;

    #[test]
    fn articles_come_back_to_the_front() {
        for (filed, spoken) in [
            ("Usual Suspects, The", "The Usual Suspects"),
            ("Princess Bride, The (1987)", "The Princess Bride (1987)"),
            ("Tin Drum, The (Blechtrommel, Die) (1979)", "The Tin Drum (Die Blechtrommel) (1979)"),
            ("Star Maker, The (Uomo delle stelle, L')", "The Star Maker (L'Uomo delle stelle)"),
            ("Good, The Bad and The Ugly, The", "The Good, The Bad and The Ugly"),
        ] {
            assert_eq!(spoken_title(filed), spoken);
        }
    }

    #[test]
    fn other_titles_stay_as_they_are() {
        for title in [
            "Paris, Texas",
            "Maybe, Maybe Not",
            "sex, lies, and videotape",
            "Mrs. Brown (Her Majesty, Mrs. Brown)",
            ", The",
            "",
            "((",
            "寅次郎, ",
        ] {
            assert_eq!(spoken_title(title), title);
        }
    }
}
