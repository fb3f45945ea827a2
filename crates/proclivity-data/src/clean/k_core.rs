//! The k-core: users and items that have enough of each other.

use proclivity_schema::{ItemIndex, Log, UserIndex};

/// The log without users and items that have too few events about items, until none is left that
/// has too few. Events without an item stay with their user. Takes time in proportion to the log.
pub(super) fn k_core(log: Log, items: usize, fewest_of_user: usize, fewest_of_item: usize) -> Log {
    let mut user_events = vec![0_usize; log.user_count()];
    let mut item_events = vec![0_usize; items];
    let mut users_of_item: Vec<Vec<UserIndex>> = vec![Vec::new(); items];
    for event in log.events() {
        if let Some(item) = event.action.item() {
            user_events[event.user.get()] += 1;
            item_events[item.get()] += 1;
            users_of_item[item.get()].push(event.user);
        }
    }
    // Who and what has too few; each comes here once, when its count falls below.
    let mut user_is_gone: Vec<bool> = user_events.iter().map(|&n| n < fewest_of_user).collect();
    let mut item_is_gone: Vec<bool> = item_events.iter().map(|&n| n < fewest_of_item).collect();
    let mut users: Vec<UserIndex> = log.users().filter(|user| user_is_gone[user.get()]).collect();
    let mut gone_items: Vec<ItemIndex> =
        (0..items as u32).map(ItemIndex).filter(|item| item_is_gone[item.get()]).collect();
    loop {
        if let Some(user) = users.pop() {
            for item in log.history(user).iter().filter_map(|event| event.action.item()) {
                item_events[item.get()] = item_events[item.get()].saturating_sub(1);
                if item_events[item.get()] < fewest_of_item && !item_is_gone[item.get()] {
                    item_is_gone[item.get()] = true;
                    gone_items.push(item);
                }
            }
        } else if let Some(item) = gone_items.pop() {
            for &user in &users_of_item[item.get()] {
                user_events[user.get()] = user_events[user.get()].saturating_sub(1);
                if user_events[user.get()] < fewest_of_user && !user_is_gone[user.get()] {
                    user_is_gone[user.get()] = true;
                    users.push(user);
                }
            }
        } else {
            break;
        }
    }
    log.filter_map(|event| {
        let item_stays = event.action.item().is_none_or(|item| !item_is_gone[item.get()]);
        (item_stays && !user_is_gone[event.user.get()]).then_some(event)
    })
}
