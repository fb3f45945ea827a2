//! Text in plots: how wide it is, where it breaks, and where a label has room.

use super::chart::TEXT;

/// A rectangle of the drawing: left, top, right, bottom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area(pub(super) [i32; 4]);

impl Area {
    /// The square around a point.
    pub(super) fn around((x, y): (i32, i32), radius: i32) -> Self {
        Self([x - radius, y - radius, x + radius, y + radius])
    }

    /// The point of this area that is closest to another point.
    pub(super) fn closest(self, (x, y): (i32, i32)) -> (i32, i32) {
        let Self([left, top, right, bottom]) = self;
        (x.clamp(left, right.max(left)), y.clamp(top, bottom.max(top)))
    }

    fn size(self) -> i64 {
        let Self([left, top, right, bottom]) = self;
        i64::from((right - left).max(0)) * i64::from((bottom - top).max(0))
    }

    /// How much of this lies in the other.
    fn overlap(self, other: Self) -> i64 {
        let (Self(a), Self(b)) = (self, other);
        Self([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]).size()
    }
}

/// About how wide this text is: only the reader's browser knows its font.
pub(super) fn width(text: &str) -> i32 {
    let ems: f64 = text.chars().map(|c| if c < '\u{1100}' { 0.57 } else { 1.0 }).sum();
    (ems * f64::from(TEXT)).ceil() as i32
}

/// Lines no wider than this, broken between words; what does not fit ends in an ellipsis.
pub(super) fn wrap(text: &str, widest: i32, most_lines: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}")) <= widest => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let cut = lines.len() > most_lines;
    lines.truncate(most_lines);
    let last = lines.len().saturating_sub(1);
    for (position, line) in lines.iter_mut().enumerate() {
        if width(line) > widest || (cut && position == last) {
            while width(&format!("{line}…")) > widest && line.pop().is_some() {}
            line.push('…');
        }
    }
    lines
}

/// Between a label and its anchor, if there is room.
pub(super) const GAP: i32 = 16;

/// Where a label of this size is best put beside an anchor: as close as it gets without covering
/// an obstacle or leaving the bounds.
pub(super) fn place(
    (x, y): (i32, i32),
    (width, height): (i32, i32),
    obstacles: &[Area],
    bounds: Area,
) -> Area {
    let (right, left) = (x + GAP, x - GAP - width);
    let beside = |step: i32| [right, left].map(|at| (at, y - height / 2 + step * height / 3));
    let centred = [y - GAP - height, y + GAP].map(|top| (x - width / 2, top));
    // From the closest to the farthest.
    let candidates = beside(0).into_iter().chain(centred);
    let candidates = candidates.chain((1..=9).flat_map(|step| [-step, step]).flat_map(beside));
    let cost = |&(rank, (left, top)): &(usize, (i32, i32))| {
        let area = Area([left, top, left + width, top + height]);
        let covered = obstacles.iter().map(|&other| area.overlap(other)).filter(|&part| part > 0);
        let outside = area.size() - area.overlap(bounds);
        // Anywhere is better than on top of something.
        covered.map(|part| 8 * area.size() + 20 * part).sum::<i64>()
            + 200 * outside
            + rank as i64 * area.size() / 6
    };
    let best = candidates.enumerate().min_by_key(cost);
    let (left, top) = best.map_or((right, y), |(_, at)| at);
    Area([left, top, left + width, top + height])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_breaks_between_words_and_ends_in_an_ellipsis() {
        let two = width("ridge transition");
        assert_eq!(wrap("ridge transition", two, 2), ["ridge transition"]);
        assert_eq!(wrap("ridge transition", two - 1, 2), ["ridge", "transition"]);
        assert_eq!(wrap("ridge transition", two - 1, 1), ["ridge…"]);
        assert_eq!(wrap("transition", width("trans…"), 2), ["trans…"]);
        assert!(wrap("", 100, 2).is_empty());
    }

    #[test]
    fn a_label_avoids_what_is_there_and_stays_inside() {
        let bounds = Area([0, 0, 400, 400]);
        let free = place((100, 100), (80, 20), &[], bounds);
        assert_eq!(free, Area([116, 90, 196, 110]));
        let beside = place((100, 100), (80, 20), &[free], bounds);
        assert_eq!(beside.overlap(free), 0);
        let at_the_edge = place((390, 100), (80, 20), &[], bounds);
        assert_eq!(at_the_edge.overlap(bounds), at_the_edge.size());
    }
}
