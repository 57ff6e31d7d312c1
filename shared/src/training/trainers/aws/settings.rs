//! The settings of the trainer on Bedrock.

use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;

/// The settings of the account.
#[derive(Clone, Debug)]
pub struct AwsSettings {
    /// The ARN of the role with which Bedrock reads samples and writes results.
    pub role: String,
    /// `s3://bucket` or `s3://bucket/prefix`: the location of both.
    pub place: String,
    pub region: String,
    pub endpoint: String,
    pub credentials: SharedCredentialsProvider,
    pub call_time: Duration,
}
