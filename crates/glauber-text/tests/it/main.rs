//! The integration tests of glauber-text, one program for all: a program more is a link more.

mod codec;
mod corpus;
mod expressed;
mod files;
mod finding;
mod foreign;
mod parts;
mod reading;
mod shards;
