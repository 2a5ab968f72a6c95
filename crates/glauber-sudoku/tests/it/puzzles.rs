//! Puzzles have one solution and as many clues as asked for; what the codec writes it reads.

use glauber_chain::{ChainRng, Chains};
use glauber_sudoku::{Puzzle, Size, SolutionSource, SudokuCodec, is_valid, solve, violations};
use glauber_tokens::{Codec, Token, TokenBatch};
use proptest::prelude::*;

/// What must hold of a puzzle, whatever made it.
fn check(puzzle: &Puzzle, clues: usize) {
    let size = puzzle.size();
    assert_eq!(puzzle.clue_count(), clues);
    assert!(is_valid(size, puzzle.solution()));
    assert!(puzzle.given().all(|(site, token)| puzzle.solution()[site] == token));
    assert_eq!(solve(size, puzzle.clues(), 2).unwrap(), [puzzle.solution().to_vec()]);
    assert_eq!(puzzle.clue_mask().iter().filter(|&&clue| clue).count(), clues);
}

#[test]
fn every_number_of_clues_of_four_is_reached() {
    let mut rng = ChainRng::new(3, 0);
    let source = SolutionSource::new(Size::Four);
    for clues in 4..=15 {
        for _ in 0..20 {
            check(&Puzzle::draw(&source, clues, 1000, &mut rng).unwrap(), clues);
        }
    }
}

#[test]
fn puzzles_of_nine_reach_their_number_of_clues() {
    let mut rng = ChainRng::new(4, 0);
    let source = SolutionSource::new(Size::Nine);
    for clues in [22, 23, 24, 26, 30, 35, 40, 50, 64, 80] {
        check(&Puzzle::draw(&source, clues, 1000, &mut rng).unwrap(), clues);
    }
    let solution = source.sample(&mut rng);
    let dug = Puzzle::dig(Size::Nine, &solution, 28, 100, &mut rng).unwrap();
    check(&dug, 28);
    assert_eq!(dug.solution(), solution);
}

/// The lower bound of [`Size::fewest_clues`] by exhaustion: every grid, every set of three sites.
#[test]
fn three_clues_never_determine_a_grid_of_four() {
    for grid in solve(Size::Four, &[None; 16], usize::MAX).unwrap() {
        for mask in (0u32..1 << 16).filter(|mask| mask.count_ones() == 3) {
            let clues: Vec<Option<Token>> = (0..16).map(|site| (mask >> site & 1 == 1).then(|| grid[site])).collect();
            assert_eq!(solve(Size::Four, &clues, 2).unwrap().len(), 2, "{clues:?}");
        }
    }
}

#[test]
fn clues_are_clamped_where_the_puzzle_has_them() {
    let mut rng = ChainRng::new(5, 0);
    let puzzle = Puzzle::draw(&SolutionSource::new(Size::Nine), 30, 100, &mut rng).unwrap();
    let mut chains = Chains::seeded(TokenBatch::filled(1, 81, 0), 1);
    puzzle.given().for_each(|(site, token)| chains.clamp(0, site, token).unwrap());
    for (site, clue) in puzzle.clues().iter().enumerate() {
        assert_eq!(chains.is_clamped(0, site), clue.is_some());
        assert_eq!(chains.tokens().row(0)[site], clue.unwrap_or(0));
    }
}

#[test]
fn a_shown_puzzle_is_read_again() {
    let mut rng = ChainRng::new(6, 0);
    for (size, clues) in [(Size::Four, 6), (Size::Nine, 27)] {
        let puzzle = Puzzle::draw(&SolutionSource::new(size), clues, 1000, &mut rng).unwrap();
        let codec = SudokuCodec::new(size);
        assert_eq!(codec.parse_clues(&puzzle.to_string()).unwrap(), puzzle.clues());
        let solved = codec.pretty(puzzle.solution(), Some(&puzzle.clue_mask())).unwrap();
        assert_eq!(solved.matches('\'').count(), size.sites() - clues);
        assert_eq!(codec.encode(&solved).unwrap(), puzzle.solution());
    }
}

/// A size with one entry for each of its sites.
fn sized<S: Strategy>(entry: impl Fn(Size) -> S + Clone) -> impl Strategy<Value = (Size, Vec<S::Value>)> {
    prop_oneof![Just(Size::Four), Just(Size::Nine)]
        .prop_flat_map(move |size| (Just(size), prop::collection::vec(entry(size), size.sites())))
}

fn tokens() -> impl Strategy<Value = (Size, Vec<Token>)> {
    sized(|size| 0..size.vocab() as Token)
}

proptest! {
    #[test]
    fn any_tokens_have_a_text((size, tokens) in tokens()) {
        let codec = SudokuCodec::new(size);
        prop_assert_eq!(codec.encode(&codec.decode(&tokens).unwrap()).unwrap(), tokens.clone());
        prop_assert_eq!(codec.encode(&codec.pretty(&tokens, None).unwrap()).unwrap(), tokens);
    }

    #[test]
    fn any_clues_have_a_text((size, clues) in sized(|size| prop::option::of(0..size.vocab() as Token))) {
        let codec = SudokuCodec::new(size);
        prop_assert_eq!(codec.parse_clues(&codec.write_clues(&clues).unwrap()).unwrap(), clues.clone());
        prop_assert_eq!(codec.parse_clues(&codec.pretty_clues(&clues).unwrap()).unwrap(), clues);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[0-9. |\n+'x-]{0,90}") {
        for size in Size::ALL {
            if let Ok(clues) = SudokuCodec::new(size).parse_clues(&text) {
                prop_assert_eq!(clues.len(), size.sites());
                prop_assert!(clues.iter().flatten().all(|&token| (token as usize) < size.vocab()));
            }
        }
    }

    #[test]
    fn violations_are_the_surplus_copies((size, tokens) in tokens()) {
        let mut surplus = 0;
        for house in 0..size.houses() {
            let in_house = |site: &usize| size.houses_of(*site).contains(&house);
            let mut held: Vec<Token> = (0..size.sites()).filter(in_house).map(|site| tokens[site]).collect();
            held.sort();
            surplus += held.windows(2).filter(|pair| pair[0] == pair[1]).count();
        }
        prop_assert_eq!(violations(size, &tokens), surplus);
    }

    #[test]
    fn one_changed_site_breaks_a_grid(seed: u64, place: usize, change: Token) {
        for size in Size::ALL {
            let mut grid = SolutionSource::new(size).sample(&mut ChainRng::new(seed, 0));
            let (site, vocab) = (place % size.sites(), size.vocab() as Token);
            grid[site] = (grid[site] + 1 + change % (vocab - 1)) % vocab;
            prop_assert!(!is_valid(size, &grid));
            prop_assert_eq!(violations(size, &grid), 3);
        }
    }
}
