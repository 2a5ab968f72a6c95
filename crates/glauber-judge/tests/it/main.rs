//! The integration tests of glauber-judge, one program for all: a program more is a link more.

mod judges;
mod mauve;
mod resampling;
mod tables;
mod text_judges;
mod two_samples;
