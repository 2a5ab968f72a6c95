//! Seven sets of points of the plane as 32 bits each, a benchmark of discrete generative models.
//!
//! A coordinate is a sign and 15 bits of Gray code, so that neighbours differ in one bit (Dai et al. 2020, "Learning Discrete Energy-based
//! Models via Auxiliary-variable Local Exploration"). Here the density of every set is known too: what a perfect model scores is exact.
//!
//! ```
//! use glauber_chain::ChainRng;
//! use glauber_plane::{GrayCode, PlaneSet, squared_mmd};
//!
//! let set = PlaneSet::Moons;
//! let code = GrayCode::of(set);
//! let mut rng = ChainRng::new(7, 0);
//! let point = set.draw(&mut rng);
//! let bits = code.encode(point); // 32 tokens, 0 or 1; of `with_bits(4)` 8 tokens below 16
//! let back = code.decode(&bits);
//! assert!((back[0] - point[0]).abs() < 1e-3 && set.log_density(point).is_finite());
//!
//! let words = |rng: &mut ChainRng| (0..500).map(|_| code.word(set.draw(rng))).collect::<Vec<u32>>();
//! assert!(squared_mmd(&words(&mut rng), &words(&mut rng)).abs() < 5e-3);
//! ```

mod density;
mod gray;
mod mmd;
mod set;

pub use gray::{BITS, GrayCode};
pub use mmd::squared_mmd;
pub use set::PlaneSet;
