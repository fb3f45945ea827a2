//! Returns netted against the purchases they undo.

use proclivity_schema::{Action, Event};

/// The history with each return taken off the latest earlier purchases of its item, and how many
/// events are left of which a part was taken.
pub(super) fn net(history: Vec<Event>) -> (Vec<Event>, usize) {
    let mut kept: Vec<Event> = Vec::with_capacity(history.len());
    let mut reduced = vec![];
    for mut event in history {
        if let Action::Return { item, quantity } = &mut event.action {
            let whole = *quantity;
            for place in (0..kept.len()).rev() {
                if *quantity == 0 {
                    break;
                }
                let Action::Purchase { item: bought, quantity: left } = &mut kept[place].action
                else {
                    continue;
                };
                if *bought == *item && *left > 0 {
                    let taken = (*left).min(*quantity);
                    *left -= taken;
                    *quantity -= taken;
                    reduced.push(place);
                }
            }
            if *quantity > 0 && *quantity < whole {
                reduced.push(kept.len());
            }
        }
        kept.push(event);
    }
    reduced.sort_unstable();
    reduced.dedup();
    let is_left = |event: &Event| {
        !matches!(
            event.action,
            Action::Purchase { quantity: 0, .. } | Action::Return { quantity: 0, .. }
        )
    };
    let reduced = reduced.into_iter().filter(|&place| is_left(&kept[place])).count();
    kept.retain(is_left);
    (kept, reduced)
}
