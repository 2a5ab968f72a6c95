//! The integration tests of glauber-lab, one program for all: a program more is a link more.

mod bench;
mod compare;
mod experiments;
mod program;
