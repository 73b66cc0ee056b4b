/// Makes an enum of the error codes of one API: each with its HTTP status and its message.
macro_rules! error_codes {
    ($(#[$doc:meta])* $($code:ident $status:literal $message:literal,)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = concat!($status, ": ", $message)] $code,)*
        }

        impl ErrorCode {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// The code as documents spell it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)* }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$code => $status,)* }
            }

            /// The documented message, for when nothing more exact can be said.
            pub const fn message(self) -> &'static str {
                match self { $(Self::$code => $message,)* }
            }
        }

        impl std::fmt::Display for ErrorCode {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

pub(crate) use error_codes;
