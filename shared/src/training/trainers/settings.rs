//! The settings of every trainer. A trainer that is `None` is not available.

use std::{path::PathBuf, time::Duration};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_credential_types::provider::SharedCredentialsProvider;

use crate::{
    kernel::error::Result,
    platform::variables::{Variables, invalid_variable},
};

use super::{
    aws,
    command::{self, PASSED_ON},
    openai,
};

/// The settings of every trainer. What is None is not offered.
#[derive(Clone, Debug, Default)]
pub struct TrainerSettings {
    pub openai: openai::OpenaiSettings,
    pub aws: Option<aws::AwsSettings>,
    pub command: Option<command::CommandSettings>,
}

impl TrainerSettings {
    pub fn read(variables: &Variables) -> Result<Self> {
        let mut openai = openai::OpenaiSettings::default();
        openai.call_time = variables.seconds_or("TRAINING_CALL_TIMEOUT", openai.call_time)?;
        openai.upload_time = variables.seconds_or("TRAINING_UPLOAD_TIMEOUT", openai.upload_time)?;
        openai.prices = read_prices(variables)?;
        Ok(Self { aws: read_aws(variables, openai.call_time)?, openai, command: read_command(variables)? })
    }
}

/// `model=dollars` per million trained tokens, separated by commas.
fn read_prices(variables: &Variables) -> Result<Vec<(String, i64)>> {
    let text = variables.get("TRAINING_PRICES").unwrap_or_default();
    let prices = text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(|one| {
        let price = one.rsplit_once('=').and_then(|(model, dollars)| {
            let dollars: f64 = dollars.trim().parse().ok().filter(|dollars| (0.0..1e6).contains(dollars))?;
            #[expect(clippy::cast_possible_truncation, reason = "it was bounded a line before")]
            Some((model.trim().to_owned(), (dollars * 1e6).round() as i64))
        });
        price.ok_or_else(|| invalid_variable("TRAINING_PRICES", "must be model=dollars, separated by commas"))
    });
    prices.collect()
}

fn read_aws(variables: &Variables, call_time: Duration) -> Result<Option<aws::AwsSettings>> {
    let Some(role) = variables.get("AWS_TRAINING_ROLE") else { return Ok(None) };
    let place = variables.required("AWS_TRAINING_PLACE")?;
    if !place.starts_with("s3://") {
        return Err(invalid_variable("AWS_TRAINING_PLACE", "must be s3://bucket or s3://bucket/prefix"));
    }
    let region = match variables.get("AWS_TRAINING_REGION").or(variables.get("AWS_REGION")) {
        Some(region) => region.to_owned(),
        None => variables.required("AWS_DEFAULT_REGION")?,
    };
    let own = variables.get("AWS_ENDPOINT_URL_BEDROCK").or(variables.get("AWS_ENDPOINT_URL"));
    let endpoint = own.map_or_else(|| format!("https://bedrock.{region}.amazonaws.com"), str::to_owned);
    Ok(Some(aws::AwsSettings {
        role: role.to_owned(),
        place: place.trim_end_matches('/').to_owned(),
        endpoint,
        region,
        credentials: SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()),
        call_time,
    }))
}

fn read_command(variables: &Variables) -> Result<Option<command::CommandSettings>> {
    let Some(text) = variables.get("COMMAND_TRAINER") else { return Ok(None) };
    let command: Vec<String> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(|_| invalid_variable("COMMAND_TRAINER", "is no JSON array of texts"))?
    } else {
        text.split_whitespace().map(str::to_owned).collect()
    };
    let Some((program, arguments)) = command.split_first() else {
        return Err(invalid_variable("COMMAND_TRAINER", "names no program"));
    };
    let named = variables.get("COMMAND_TRAINER_ENVIRONMENT").unwrap_or_default();
    let passed_on = PASSED_ON.into_iter().chain(named.split(',').map(str::trim));
    let environment = passed_on.filter_map(|name| Some((name.to_owned(), variables.get(name)?.to_owned())));
    let folder = variables.get("COMMAND_TRAINER_FOLDER").unwrap_or("/var/lib/ioc/training");
    Ok(Some(command::CommandSettings {
        program: program.clone(),
        arguments: arguments.to_vec(),
        folder: PathBuf::from(folder),
        environment: environment.collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_offered_that_was_not_configured() {
        let settings = TrainerSettings::read(&Variables::from([])).unwrap();
        assert!(settings.aws.is_none() && settings.command.is_none() && settings.openai.prices.is_empty());
    }

    #[test]
    fn a_command_is_words_or_an_array_and_receives_only_permitted_variables() {
        let read = |text: &str| {
            let variables = [
                ("COMMAND_TRAINER", text),
                ("PATH", "/bin"),
                ("API_KEY_PEPPER", "secret"),
                ("HF_TOKEN", "token"),
                ("COMMAND_TRAINER_ENVIRONMENT", "HF_TOKEN, ABSENT"),
            ];
            TrainerSettings::read(&Variables::from(variables)).map(|settings| settings.command.unwrap())
        };
        let words = read("python3  train.py --fast").unwrap();
        assert_eq!((words.program.as_str(), words.arguments), ("python3", vec!["train.py".into(), "--fast".into()]));
        assert_eq!(words.environment, [("PATH".into(), "/bin".into()), ("HF_TOKEN".into(), "token".into())]);
        assert_eq!(read(r#"["/opt/my trainer", "x"]"#).unwrap().program, "/opt/my trainer");
        assert!(read("[1]").is_err() && read("[]").is_err());
    }

    #[test]
    fn prices_are_in_dollars_and_bedrock_needs_a_bucket() {
        let prices =
            |text| TrainerSettings::read(&Variables::from([("TRAINING_PRICES", text)])).map(|s| s.openai.prices);
        assert_eq!(prices("gpt-4o-mini=3, gpt-4o=25.5").unwrap()[1], ("gpt-4o".to_owned(), 25_500_000));
        assert!(prices("gpt-4o").is_err() && prices("gpt-4o=-1").is_err() && prices("gpt-4o=nan").is_err());
        let aws = |place| {
            let variables = [("AWS_TRAINING_ROLE", "arn"), ("AWS_TRAINING_PLACE", place), ("AWS_REGION", "eu-west-1")];
            TrainerSettings::read(&Variables::from(variables)).map(|settings| settings.aws.unwrap().endpoint)
        };
        assert_eq!(aws("s3://b/p/").unwrap(), "https://bedrock.eu-west-1.amazonaws.com");
        assert!(aws("/a/folder").is_err() && aws("").is_err());
    }
}
