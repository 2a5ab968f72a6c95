//! The integration tests of glauber-baselines, one program for all: a program more is a link more.

mod bayes;
