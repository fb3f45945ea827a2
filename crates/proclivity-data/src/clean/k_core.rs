//! The k-core: users and items that have enough of each other.

use proclivity_schema::Log;

/// The log without users and items that have too few events about items, until none is left that
/// has too few. Events without an item stay with their user.
pub(super) fn k_core(log: Log, items: usize, user: usize, item: usize) -> Log {
    let mut user_events = vec![0_usize; log.user_count()];
    let mut item_events = vec![0_usize; items];
    let mut users_of_item = vec![Vec::new(); items];
    for event in log.events() {
        if let Some(item) = event.action.item() {
            user_events[event.user.get()] += 1;
            item_events[item.get()] += 1;
            users_of_item[item.get()].push(event.user);
        }
    }
    let mut user_is_gone = vec![false; user_events.len()];
    let mut item_is_gone = vec![false; items];
    loop {
        let mut went = false;
        for (place, users) in users_of_item.iter().enumerate() {
            if !item_is_gone[place] && item_events[place] < item {
                item_is_gone[place] = true;
                went = true;
                for gone in users {
                    user_events[gone.get()] -= usize::from(!user_is_gone[gone.get()]);
                }
            }
        }
        for index in log.users() {
            if !user_is_gone[index.get()] && user_events[index.get()] < user {
                user_is_gone[index.get()] = true;
                went = true;
                for event in log.history(index) {
                    if let Some(item) = event.action.item().filter(|item| !item_is_gone[item.get()])
                    {
                        item_events[item.get()] -= 1;
                    }
                }
            }
        }
        if !went {
            break;
        }
    }
    log.filter_map(|event| {
        let item_stays = event.action.item().is_none_or(|item| !item_is_gone[item.get()]);
        (item_stays && !user_is_gone[event.user.get()]).then_some(event)
    })
}
