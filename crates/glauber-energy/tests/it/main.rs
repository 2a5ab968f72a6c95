//! Targets, exact values and annealed chains, against closed forms and enumerations.

mod annealing;
mod clusters;
mod exact;
mod flow;
mod targets;
