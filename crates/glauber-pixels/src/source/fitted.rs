//! Another source in another size or with other channels.

use glauber_chain::ChainRng;

use super::{Example, ImageSource};
use crate::{Colours, Extent};

/// A source whose images are resized and turned grey or RGB as they are asked for. Shapes are stretched where the sides differ in
/// proportion.
#[derive(Debug, Clone)]
pub struct Fitted<S> {
    source: S,
    extent: Extent,
    colours: Colours,
}

impl<S: ImageSource> Fitted<S> {
    /// The source with this extent and these channels.
    pub fn new(source: S, extent: Extent, colours: Colours) -> Self {
        Self { source, extent, colours }
    }
}

impl<S: ImageSource> ImageSource for Fitted<S> {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn colours(&self) -> Colours {
        self.colours
    }

    fn class_names(&self) -> &[String] {
        self.source.class_names()
    }

    fn get(&self, index: usize, rng: &mut ChainRng) -> Example {
        let Example { image, class } = self.source.get(index, rng);
        Example { image: image.to_colours(self.colours).resized(self.extent), class }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ShapeConfig, ShapeSource};

    #[test]
    fn images_fit_and_classes_stay() {
        let large = Extent::new(32, 32).unwrap();
        let source = ShapeSource::new(ShapeConfig { extent: large, colours: Colours::Rgb, count: 20, seed: 3 });
        let small = Extent::new(8, 12).unwrap();
        let fitted = Fitted::new(source.clone(), small, Colours::Grey);
        let mut rng = ChainRng::new(0, 0);
        assert_eq!((fitted.len(), fitted.class_names()), (20, source.class_names()));
        for index in 0..20 {
            let example = fitted.get(index, &mut rng);
            assert_eq!((example.image.extent(), example.image.colours()), (small, Colours::Grey));
            assert_eq!(example.class, source.get(index, &mut rng).class);
        }
        assert_eq!(fitted.planes(&[3, 5], &mut rng).len(), 2 * 8 * 12);
    }
}
