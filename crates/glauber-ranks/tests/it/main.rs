//! The integration tests of glauber-ranks, one program for all: a program more is a link more.

mod processes;
mod ranks;
