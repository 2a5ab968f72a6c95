//! Sweeps that end at listed levels.

use glauber_chain::Lazy;
use glauber_schedule::{Schedule, SiteOrder};

use crate::bound::{bound, floor, laws, table};

#[test]
fn the_lazy_bound_has_no_slack_where_sweeps_end_at_listed_levels() {
    for ends in [&[1.0][..], &[0.85, 1.0], &[0.85, 0.95, 1.0]] {
        for law in laws(3) {
            let order = SiteOrder::permutation(3, ends.len(), 5).unwrap();
            let schedule = Schedule::ending_at(ends, order, law, 1e-3, true).unwrap();
            let table = table(3, 3, 7, 0.0);
            let conditional = table.conditional(&schedule).unwrap();
            let lazy = bound(&schedule, Lazy::default()).exact_mean(&table, &conditional).unwrap();
            let (found, expected) = (lazy.total(), floor(&table, &schedule));
            assert!((found - expected).abs() < 1e-10, "{ends:?}: {found} for {expected}");
        }
    }
}
