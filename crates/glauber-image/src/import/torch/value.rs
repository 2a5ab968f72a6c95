//! Values of pickles.

use std::collections::BTreeMap;

use super::tensor::{Storage, Strided};

/// A value on the stack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    /// An irrelevant value.
    Other,
    Flag(bool),
    Whole(i64),
    /// An object, by its place.
    At(usize),
}

/// An object.
#[derive(Debug)]
pub(super) enum Object {
    Text(String),
    /// A class or function, with its module.
    Name(String),
    /// A tuple or list.
    Row(Vec<Value>),
    /// A dictionary, or an object of any class: its entries under text.
    Table(BTreeMap<String, Value>),
    Storage(Storage),
    Tensor(Strided),
}
