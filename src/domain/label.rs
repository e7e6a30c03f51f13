//! Closed sets of words, for the labels of metrics and for logs. An enum gets its words where it is declared, and
//! nowhere else, so that the number of series is bounded at compile time. A word is never an id, a person, a channel
//! or a URL.

/// The values of a metric's labels: a set that is completely known.
pub trait LabelSet: Copy + 'static {
    /// How many combinations there are.
    const COUNT: usize;
    /// Every combination, in the order of [`LabelSet::index`]. Several may have the same values.
    fn all() -> Vec<Self>;
    /// The values, in the order in which the metric names its labels.
    fn values(self) -> Vec<&'static str>;
    /// Its index in [`LabelSet::all`].
    fn index(self) -> usize;
}

impl LabelSet for () {
    const COUNT: usize = 1;
    fn all() -> Vec<Self> {
        vec![()]
    }
    fn values(self) -> Vec<&'static str> {
        vec![]
    }
    fn index(self) -> usize {
        0
    }
}

impl<A: LabelSet, B: LabelSet> LabelSet for (A, B) {
    const COUNT: usize = A::COUNT * B::COUNT;
    fn all() -> Vec<Self> {
        let pair = |a: A| B::all().into_iter().map(move |b| (a, b));
        A::all().into_iter().flat_map(pair).collect()
    }
    fn values(self) -> Vec<&'static str> {
        [self.0.values(), self.1.values()].concat()
    }
    fn index(self) -> usize {
        self.0.index() * B::COUNT + self.1.index()
    }
}

/// Declares an enum with a word for each variant, with `ALL`, `as_str` and [`LabelSet`].
///
/// `Variant = "word" in "label"` is counted under another value than its word, with others. `enum Name of method`
/// has two labels: the word of what the method says of the variant, then the variant's own.
macro_rules! labels {
    (@label $word:expr) => {
        $word
    };
    (@label $word:expr, $label:literal) => {
        $label
    };
    ($(
        $(#[$doc:meta])+
        $vis:vis enum $name:ident $(of $first:ident)? {
            $( $(#[$variant_doc:meta])+ $variant:ident = $word:literal $(in $label:literal)? ),+ $(,)?
        }
    )+) => {$(
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name {
            $( $(#[$variant_doc])+ $variant ),+
        }

        impl $name {
            /// Every value.
            $vis const ALL: [Self; [$($word),+].len()] = [$( Self::$variant ),+];

            /// The word in metrics and logs.
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $word ),+
                }
            }
        }

        impl $crate::domain::label::LabelSet for $name {
            const COUNT: usize = Self::ALL.len();
            fn all() -> Vec<Self> {
                Self::ALL.to_vec()
            }
            fn values(self) -> Vec<&'static str> {
                let label = match self {
                    $( Self::$variant => $crate::domain::label::labels!(@label self.as_str() $(, $label)?) ),+
                };
                vec![$( self.$first().as_str(), )? label]
            }
            fn index(self) -> usize {
                self as usize
            }
        }
    )+};
}

pub(crate) use labels;
