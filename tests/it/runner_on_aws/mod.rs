//! The runners on AWS (`infra/aws/runner`): what their stacks allow, and what the scripts of an instance do.

mod instance;
mod stacks;
