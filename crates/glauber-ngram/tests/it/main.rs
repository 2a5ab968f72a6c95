//! The integration tests of glauber-ngram, one program for all: a program more is a link more.

mod file;
mod ngram;
mod prior;
