//! Returns netted against the purchases they undo.

use std::collections::{BTreeSet, HashMap};

use proclivity_schema::{Action, Event, ItemIndex};

/// The history with each return taken off the latest earlier purchases of its item, and how many
/// events are left of which a part was taken.
pub(super) fn net(mut history: Vec<Event>) -> (Vec<Event>, usize) {
    // Places of purchases of which something is left, by item.
    let mut open: HashMap<ItemIndex, Vec<usize>> = HashMap::new();
    let mut reduced = BTreeSet::new();
    for place in 0..history.len() {
        let (item, mut left) = match history[place].action {
            Action::Purchase { item, quantity } if quantity > 0 => {
                open.entry(item).or_default().push(place);
                continue;
            }
            Action::Return { item, quantity } => (item, quantity),
            _ => continue,
        };
        let purchases = open.entry(item).or_default();
        while left > 0
            && let Some(&bought) = purchases.last()
            && let Action::Purchase { quantity, .. } = &mut history[bought].action
        {
            let taken = left.min(*quantity);
            *quantity -= taken;
            left -= taken;
            reduced.extend([bought, place]);
            if *quantity == 0 {
                purchases.pop();
            }
        }
        history[place].action = Action::Return { item, quantity: left };
    }
    let is_left = |place: usize| {
        !matches!(
            history[place].action,
            Action::Purchase { quantity: 0, .. } | Action::Return { quantity: 0, .. }
        )
    };
    let changed = reduced.iter().filter(|&&place| is_left(place)).count();
    let gone: Vec<bool> =
        (0..history.len()).map(|place| reduced.contains(&place) && !is_left(place)).collect();
    let mut gone = gone.into_iter();
    history.retain(|_| gone.next() != Some(true));
    (history, changed)
}
