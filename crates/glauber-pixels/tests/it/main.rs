//! The integration tests of glauber-pixels, one program for all: a program more is a link more.

mod codec;
mod damaged;
mod folder;
mod mnist;
