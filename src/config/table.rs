//! The macros that turn the declarative table of [`super::keys`] into types, readers, reference and listing.

use super::key::Section;
use super::reader::ConfigReader;
use super::show::Shown;

/// What the macros make of every section.
pub(crate) trait Keyed: Sized {
    /// Its part of the table.
    const SECTION: Section;

    /// Reads its keys below `at` (its path, for a repeated one with its number).
    fn read(reader: &mut ConfigReader, at: &str) -> Self;

    /// Adds its keys with their effective values.
    fn show(&self, at: &str, out: &mut Vec<Shown>);

    /// Adds the paths of its keys that have another value in `other`.
    fn differ(&self, other: &Self, at: &str, out: &mut Vec<String>);
}

/// `Some` of what is there, else `None`.
macro_rules! maybe {
    () => {
        None
    };
    ($($there:tt)+) => {
        Some($($there)+)
    };
}

macro_rules! key {
    ($path:literal, $key:ident, $type:ty, [$($doc:literal)+], [$($default:literal)?], [$($low:literal $high:literal)?]) => {
        $crate::config::key::ConfigKey {
            section: $path,
            name: stringify!($key),
            doc: &[$($doc),+],
            default: maybe!($($default)?),
            range: maybe!($(($low, $high))?),
            is_secret: <$type as $crate::config::value::Setting>::IS_SECRET,
            keeps_quotes: <$type as $crate::config::value::Setting>::KEEPS_QUOTES,
            type_name: <$type as $crate::config::value::Setting>::type_name,
            show_default: $crate::config::key::show_default::<$type>,
        }
    };
}

/// Declares one section: a struct and its part of the table.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:ident at $path:literal {
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $type:ty $(= $default:literal $(in $low:literal to $high:literal)?)?
            ),+ $(,)?
        }
    ) => {
        section!(@declare false $(#[doc = $about])+ $name $path {
            $( $(#[doc = $doc])+ $key: $type, [$($default)?], [$($($low $high)?)?] ;)+
        });
    };
    (
        $(#[doc = $about:literal])+
        $name:ident repeated at $path:literal {
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $type:ty $(= $default:literal $(in $low:literal to $high:literal)?)?
            ),+ $(,)?
        }
    ) => {
        section!(@declare true $(#[doc = $about])+ $name $path {
            $( $(#[doc = $doc])+ $key: $type, [$($default)?], [$($($low $high)?)?] ;)+
        });
    };
    (@declare $repeated:literal $(#[doc = $about:literal])+ $name:ident $path:literal {
        $( $(#[doc = $doc:literal])+ $key:ident: $type:ty, $default:tt, $range:tt ;)+
    }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $key: $type, )+
        }

        impl $crate::config::table::Keyed for $name {
            const SECTION: $crate::config::key::Section = $crate::config::key::Section {
                path: $path,
                about: &[$($about),+],
                keys: &[ $( key!($path, $key, $type, [$($doc)+], $default, $range) ),+ ],
                is_repeated: $repeated,
            };

            fn read(reader: &mut $crate::config::reader::ConfigReader, at: &str) -> Self {
                Self {
                    $( $key: reader.take(
                        at, &key!($path, $key, $type, [$($doc)+], $default, $range)
                    ), )+
                }
            }

            fn show(&self, at: &str, out: &mut Vec<$crate::config::show::Shown>) {
                $( out.push($crate::config::show::Shown::of(
                    at, stringify!($key), &self.$key,
                )); )+
            }

            fn differ(&self, other: &Self, at: &str, out: &mut Vec<String>) {
                use $crate::config::value::Setting;
                $( if !self.$key.is_same(&other.$key) {
                    out.push(format!("{at}.{}", stringify!($key)));
                } )+
            }
        }
    };
}

/// Declares the tree: every section that stands once, then the one that is repeated.
macro_rules! tree {
    (
        $(#[$meta:meta])*
        $name:ident {
            $( $(#[$doc:meta])+ $field:ident: $section:ty, )+
            ..
            $(#[$list_doc:meta])+ $list:ident: [$item:ty]
        }
    ) => {
        $(#[$meta])*
        pub struct $name {
            $( $(#[$doc])+ pub $field: $section, )+
            $(#[$list_doc])+ pub $list: Vec<$item>,
        }

        impl $name {
            /// Every section, in reading order.
            pub(crate) const SECTIONS: &'static [$crate::config::key::Section] = &[
                $( <$section as $crate::config::table::Keyed>::SECTION, )+
                <$item as $crate::config::table::Keyed>::SECTION,
            ];

            /// Reads the whole tree; faults are left in `reader`.
            pub(super) fn read(reader: &mut $crate::config::reader::ConfigReader) -> Self {
                use $crate::config::table::Keyed;
                Self {
                    $( $field: <$section>::read(reader, <$section>::SECTION.path), )+
                    $list: reader
                        .repeats(<$item>::SECTION.path)
                        .iter()
                        .map(|at| <$item>::read(reader, at))
                        .collect(),
                }
            }

            /// Every key with its effective value, in reading order.
            pub(super) fn show(&self) -> Vec<$crate::config::show::Shown> {
                use $crate::config::table::Keyed;
                let mut out = Vec::new();
                $( self.$field.show(<$section>::SECTION.path, &mut out); )+
                for (index, item) in self.$list.iter().enumerate() {
                    item.show(&format!("{}[{}]", <$item>::SECTION.path, index + 1), &mut out);
                }
                out
            }

            /// The paths of every key that has another value in `other`, in reading order.
            pub(super) fn differences(&self, other: &Self) -> Vec<String> {
                use $crate::config::table::Keyed;
                let mut out = Vec::new();
                $( self.$field.differ(&other.$field, <$section>::SECTION.path, &mut out); )+
                if self.$list.len() != other.$list.len() {
                    out.push(<$item>::SECTION.path.to_owned());
                }
                for (index, (one, another)) in self.$list.iter().zip(&other.$list).enumerate() {
                    let at = format!("{}[{}]", <$item>::SECTION.path, index + 1);
                    one.differ(another, &at, &mut out);
                }
                out
            }
        }
    };
}
