//! What ranks do together, with threads as ranks; `glauber-cli/tests/ranks.rs` has processes.

use glauber_ranks::{Alone, Threads, World};

/// What each of so many ranks comes to.
fn all<T: Send>(size: usize, one: impl Fn(&dyn World) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let one = &one;
        let threads: Vec<_> = Threads::world(size).into_iter().map(|rank| scope.spawn(move || one(&rank))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a rank")).collect()
    })
}

#[test]
fn sums_are_added_in_the_order_of_ranks_and_are_the_same_everywhere() {
    // 1 + 2⁻²⁴ rounds to 1, 2⁻²⁴ + 2⁻²⁴ + 1 does not: the order shows.
    let tiny = 2f32.powi(-24);
    for (values, expected) in [([1.0, tiny, tiny], 1.0), ([tiny, tiny, 1.0], 1.0 + 2.0 * tiny)] {
        let sums = all(3, |ranks| {
            let mut sum = [values[ranks.rank()], ranks.rank() as f32];
            ranks.all_reduce(&mut sum);
            sum
        });
        assert_eq!(sums, vec![[expected, 3.0]; 3]);
    }
}

#[test]
fn parts_are_summed_where_they_belong_and_joined_everywhere() {
    let tiny = 2f32.powi(-24);
    for borders in [[0, 3, 3, 5], [0, 0, 5, 5], [0, 1, 3, 5]] {
        let seen = all(3, |ranks| {
            let values = vec![[1.0, tiny, tiny][ranks.rank()], 2.0, 3.0, 4.0, ranks.rank() as f32];
            let part = ranks.reduce_scatter(values, &borders);
            (part.len(), ranks.all_gather(part, &borders))
        });
        let lengths: Vec<usize> = borders.windows(2).map(|ends| ends[1] - ends[0]).collect();
        assert_eq!(seen.iter().map(|(length, _)| *length).collect::<Vec<_>>(), lengths);
        assert!(seen.iter().all(|(_, joined)| joined == &[1.0, 6.0, 9.0, 12.0, 3.0]), "{seen:?}");
    }
}

#[test]
fn exchanges_that_follow_each_other_are_not_mixed_up() {
    let seen = all(4, |ranks| {
        (0..200)
            .map(|round| {
                let mut sum = [(round * (1 + ranks.rank())) as f64];
                ranks.all_reduce_f64(&mut sum);
                sum[0]
            })
            .collect::<Vec<f64>>()
    });
    let expected: Vec<f64> = (0..200).map(|round| f64::from(round) * 10.0).collect();
    assert_eq!(seen, vec![expected; 4]);
}

#[test]
fn bytes_go_from_the_first_and_to_the_first() {
    let seen = all(3, |ranks| {
        let mine = vec![ranks.rank() as u8; ranks.rank() + 1];
        (ranks.broadcast(mine.clone()), ranks.gather(mine), ranks.any(ranks.rank() == 2), ranks.any(false))
    });
    assert!(seen.iter().all(|(from, _, one, none)| *from == [0] && *one && !none));
    assert_eq!(seen[0].1, [vec![0], vec![1, 1], vec![2, 2, 2]]);
    assert!(seen[1].1.is_empty() && seen[2].1.is_empty());
}

#[test]
fn shares_cover_everything_once() {
    for count in [0, 1, 5, 6, 7, 100] {
        let shares = all(3, |ranks| ranks.share(count));
        let covered: Vec<usize> = shares.iter().cloned().flatten().collect();
        assert_eq!(covered, (0..count).collect::<Vec<_>>());
        assert!(shares.iter().all(|share| (count / 3..=count.div_ceil(3)).contains(&share.len())));
    }
    assert_eq!(Alone.share(5), 0..5);
}

#[test]
fn one_alone_has_what_it_gives() {
    let mut values = [1.5];
    Alone.all_reduce(&mut values);
    assert_eq!((values, Alone.broadcast(vec![7]), Alone.gather(vec![7])), ([1.5], vec![7], vec![vec![7]]));
    assert_eq!(Alone.all_gather(Alone.reduce_scatter(vec![1.5], &[0, 1]), &[0, 1]), [1.5]);
    assert!(Alone.is_first() && Alone.any(true) && !Alone.any(false));
}
