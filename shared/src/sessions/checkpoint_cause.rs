//! Why checkpoints are taken.

/// Why a checkpoint was taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CheckpointCause {
    Dispatch,
    Turn,
    Pause,
    Stop,
    Manual,
}

impl CheckpointCause {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Turn => "turn",
            Self::Pause => "pause",
            Self::Stop => "stop",
            Self::Manual => "manual",
        }
    }
}
