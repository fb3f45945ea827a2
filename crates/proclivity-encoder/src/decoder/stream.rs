//! Text that is written piece by piece, up to a stop string.

/// What was written so far, and how much of it was handed on.
pub(super) struct Stream<'a> {
    stop: &'a [String],
    text: String,
    handed_on: usize,
    stopped: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(stop: &'a [String]) -> Self {
        Self { stop, text: String::new(), handed_on: 0, stopped: false }
    }

    /// Adds text; hands on what can't be the beginning of a stop string any more.
    pub(super) fn push(&mut self, text: &str, mut hand_on: impl FnMut(&str)) {
        self.text.push_str(text);
        let pending = &self.text[self.handed_on..];
        let stops = self.stop.iter().filter(|stop| !stop.is_empty());
        let found = stops.clone().filter_map(|stop| pending.find(stop.as_str())).min();
        let safe = match found {
            Some(at) => at,
            None => {
                let held = stops.filter_map(|stop| {
                    let starts = stop.char_indices().map(|(at, _)| at).filter(|&at| at > 0);
                    starts.rev().find(|&at| pending.ends_with(&stop[..at]))
                });
                pending.len() - held.max().unwrap_or(0)
            }
        };
        if safe > 0 {
            hand_on(&pending[..safe]);
        }
        self.handed_on += safe;
        if found.is_some() {
            self.text.truncate(self.handed_on);
            self.stopped = true;
        }
    }

    /// Whether a stop string came.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Hands on what was held back, and returns all.
    pub(super) fn finish(self, mut hand_on: impl FnMut(&str)) -> String {
        if self.handed_on < self.text.len() {
            hand_on(&self.text[self.handed_on..]);
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_string_and_what_follows_it_is_never_handed_on() {
        let stop = ["\n\n".to_owned(), "END".to_owned()];
        for (pieces, expected, stopped) in [
            (vec!["a", "E", "N", "Db"], "a", true),
            (vec!["a", "E", "N", "b"], "aENb", false),
            (vec!["a\n", "\nb"], "a", true),
            (vec!["a", "E"], "aE", false),
            (vec!["ENDEND"], "", true),
        ] {
            let mut handed_on = String::new();
            let mut stream = Stream::new(&stop);
            for piece in &pieces {
                if !stream.is_stopped() {
                    stream.push(piece, |text| handed_on.push_str(text));
                }
            }
            assert_eq!(stream.is_stopped(), stopped, "{pieces:?}");
            let text = stream.finish(|text| handed_on.push_str(text));
            assert_eq!((text.as_str(), handed_on.as_str()), (expected, expected), "{pieces:?}");
        }
    }
}
