//! The integration tests of glauber-model, one program for all: a program more is a link more.

mod awake;
mod incremental;
mod leave_one_out;
mod roles;
