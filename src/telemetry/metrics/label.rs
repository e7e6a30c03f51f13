//! Labels with a closed set of values: the compiler bounds the number of series.

/// A set of label values that is known whole.
pub trait LabelSet: Copy + 'static {
    /// The label names, in the order of [`LabelSet::values`].
    fn names() -> Vec<&'static str>;
    /// Every combination there is, in the order of [`LabelSet::index`].
    fn all() -> Vec<Self>;
    /// How many combinations there are.
    fn count() -> usize;
    /// The label values.
    fn values(self) -> Vec<&'static str>;
    /// Its place in [`LabelSet::all`].
    fn index(self) -> usize;
}

impl LabelSet for () {
    fn names() -> Vec<&'static str> {
        vec![]
    }
    fn all() -> Vec<Self> {
        vec![()]
    }
    fn count() -> usize {
        1
    }
    fn values(self) -> Vec<&'static str> {
        vec![]
    }
    fn index(self) -> usize {
        0
    }
}

impl<A: LabelSet, B: LabelSet> LabelSet for (A, B) {
    fn names() -> Vec<&'static str> {
        [A::names(), B::names()].concat()
    }
    fn all() -> Vec<Self> {
        let pair = |a: A| B::all().into_iter().map(move |b| (a, b));
        A::all().into_iter().flat_map(pair).collect()
    }
    fn count() -> usize {
        A::count() * B::count()
    }
    fn values(self) -> Vec<&'static str> {
        [self.0.values(), self.1.values()].concat()
    }
    fn index(self) -> usize {
        self.0.index() * B::count() + self.1.index()
    }
}

/// Declares an enum whose variants are the values of one or more labels.
macro_rules! labels {
    ($(
        $(#[$doc:meta])+
        $name:ident ($($label:literal),+) {
            $( $(#[$variant_doc:meta])+ $variant:ident => ($($value:literal),+) ),+ $(,)?
        }
    )+) => {$(
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $( $(#[$variant_doc])+ $variant ),+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$( Self::$variant ),+];
        }

        impl $crate::telemetry::metrics::label::LabelSet for $name {
            fn names() -> Vec<&'static str> {
                vec![$($label),+]
            }
            fn all() -> Vec<Self> {
                Self::ALL.to_vec()
            }
            fn count() -> usize {
                Self::ALL.len()
            }
            fn values(self) -> Vec<&'static str> {
                match self {
                    $( Self::$variant => vec![$($value),+] ),+
                }
            }
            fn index(self) -> usize {
                self as usize
            }
        }
    )+};
}

/// Lets an enum of the domain or the ports be the values of one label.
macro_rules! label_of {
    ($( $type:ty: $label:literal, $all:expr; )+) => {$(
        impl $crate::telemetry::metrics::label::LabelSet for $type {
            fn names() -> Vec<&'static str> {
                vec![$label]
            }
            fn all() -> Vec<Self> {
                $all.to_vec()
            }
            fn count() -> usize {
                $all.len()
            }
            fn values(self) -> Vec<&'static str> {
                vec![self.as_str()]
            }
            fn index(self) -> usize {
                self as usize
            }
        }
    )+};
}
