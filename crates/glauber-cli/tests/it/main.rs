//! The integration tests of glauber-cli, one program for all: a program more is a link more.

mod bench;
mod corpora;
mod devices;
mod draws;
mod evaluate;
mod experiments;
mod fidelity;
mod golden;
mod habits;
mod image_tokenizer;
mod images;
mod program;
mod ranks;
mod resume;
mod status;
mod text;
mod token_grids;
mod tokenizers;
