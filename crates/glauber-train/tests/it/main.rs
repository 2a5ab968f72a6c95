//! The integration tests of glauber-train, one program for all: a program more is a link more.

mod device_sampler;
mod leave_one_out;
mod log_variance;
mod mismatches;
mod whole_sweeps;
