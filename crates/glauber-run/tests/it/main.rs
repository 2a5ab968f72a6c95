//! The integration tests of glauber-run, one program for all: a program more is a link more.

mod beginning;
mod classes;
mod own_data;
mod precision;
mod ranks;
mod training;
