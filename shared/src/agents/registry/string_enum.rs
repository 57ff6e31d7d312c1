//! Enums whose variants have names: in JSON, in SQL and in the API.

macro_rules! string_enum {
    ($(#[$about:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $word:tt)+ }) => {
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize, ToSchema)]
        $(#[$about])*
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == text)
            }
        }
    };
}
pub(crate) use string_enum;
