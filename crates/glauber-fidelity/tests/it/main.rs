//! The integration tests of glauber-fidelity, one program for all: a program more is a link more.

mod frechet;
mod network;
