//! The integration tests of glauber-image, one program for all: a program more is a link more.

#![allow(clippy::disallowed_macros, reason = "tests print what they measure")]

mod fixtures;
mod interruption;
mod small;
mod training;
