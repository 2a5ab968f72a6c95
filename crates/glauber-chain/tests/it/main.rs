//! The integration tests of glauber-chain, one program for all: a program more is a link more.

mod all_sites;
mod bad_input;
mod bound;
mod chains;
mod clamped;
mod enumeration;
mod generators;
mod guidance;
mod ising;
mod kernels;
mod lazy;
mod listed_sweeps;
mod markov;
mod moving;
mod multi_spin;
mod redenoise;
mod remasking;
mod significance;
mod skip_ahead;
mod tabled;
