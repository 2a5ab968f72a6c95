//! The integration tests of glauber-cli, one program for all: a program more is a link more.

#![allow(clippy::disallowed_methods, reason = "tests read the clock")]

mod corpora;
mod devices;
mod draws;
mod energy;
mod evaluate;
mod fidelity;
mod golden;
mod habits;
mod image_tokenizer;
mod images;
mod judge;
mod program;
mod ranks;
mod resume;
mod status;
mod sudoku;
mod text;
mod token_grids;
mod tokenizers;
mod train_energy;
