//! Verbalizers in both languages, read by a person's eye and attacked by strangers' texts.

#![expect(clippy::unwrap_used, reason = "the fixtures are valid")]

mod budget;
mod manner;
mod plain;
mod prompt;
mod rich;
mod sentence;
mod shop;
mod template;
