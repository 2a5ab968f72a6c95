//! The `glauber` program.
fn main() {}
