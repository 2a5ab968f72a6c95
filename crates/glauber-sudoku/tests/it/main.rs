//! The integration tests of glauber-sudoku, one program for all: a program more is a link more.

mod laws;
mod puzzles;
