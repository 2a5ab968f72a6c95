//! The integration tests of glauber-image, one program for all: a program more is a link more.

mod fixtures;
mod interruption;
mod small;
mod training;
