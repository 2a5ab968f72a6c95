//! Targets, exact values and annealed chains, against closed forms and enumerations.

mod annealing;
mod clusters;
mod couplings;
mod dag;
mod dag_chains;
mod dag_data;
mod dag_weights;
mod exact;
mod flow;
mod study;
mod targets;
