//! Steering: what a person says while the agent works reaches it between two calls of its tools, not only when its turn
//! ends. The turn is cancelled there, and the next one begins with what was said. A call that runs is not interrupted.

/// How far it is in the running turn.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Steering {
    /// Nobody has said anything.
    #[default]
    Idle,
    /// A person has said something that the agent has not received.
    Wanted,
    /// The turn was cancelled for it. An agent that works on all the same receives it when its turn ends.
    Asked,
}

/// What the moment allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct TurnMoment {
    /// The agent has reported something in this turn, so that its session holds the prompt.
    pub(super) has_begun: bool,
    /// A tool runs.
    pub(super) calls_tool: bool,
    /// A person is asked, whose answer goes on with the turn.
    pub(super) asks_person: bool,
}

impl Steering {
    /// A person has said something during the turn.
    pub(super) fn request(&mut self) {
        if *self == Self::Idle {
            *self = Self::Wanted;
        }
    }

    /// Whether the turn is to be cancelled now.
    pub(super) fn is_due(self, moment: TurnMoment) -> bool {
        self == Self::Wanted && moment.has_begun && !moment.calls_tool && !moment.asks_person
    }
}

/// The prompt with which an agent goes on that was interrupted by what people said.
pub(super) fn steering_prompt(said: &[String]) -> String {
    format!(
        "{}\n\n(This was said while you worked, and has interrupted you. Take it into account, and go on with your work.)",
        said.join("\n\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_cancelled_once_and_only_between_calls_of_tools() {
        let free = TurnMoment { has_begun: true, calls_tool: false, asks_person: false };
        let mut steering = Steering::default();
        assert!(!steering.is_due(free), "nobody has said anything");
        steering.request();
        assert!(steering.is_due(free));
        for busy in [
            TurnMoment { has_begun: false, ..free },
            TurnMoment { calls_tool: true, ..free },
            TurnMoment { asks_person: true, ..free },
        ] {
            assert!(!steering.is_due(busy), "{busy:?}");
        }
        steering = Steering::Asked;
        steering.request();
        assert!(!steering.is_due(free), "the agent was asked already");
    }
}
