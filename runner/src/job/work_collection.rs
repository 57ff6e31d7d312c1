//! Collects the work of a run while its lease is still renewed: the patch, and the commits as a git bundle.
//!
//! The bundle is an addition to the patch, which later runs continue from. Whatever prevents it is a warning in the
//! session's log. It is compressed, so values of secrets can be neither found nor replaced in it: it is uploaded only
//! if there is none in anything that it is made of, and none in the patch.

use tokio::sync::mpsc;

use super::{
    attachments::BUNDLE,
    delivery::with_patience,
    reporter::Notice,
    run::{Job, RunWork},
};
use crate::{
    control_plane::{ControlPlane, wire::Artifact},
    workspace::{CollectedWork, OmissionReason, OmittedFile, WorkBundle, Workspace, WorkspaceError},
};

/// The largest bundle, which the control plane takes at once, in bytes.
const MOST_BYTES: u64 = 10 * 1024 * 1024;

/// How many files that are not delivered are named one by one.
const MOST_NAMED: usize = 100;

/// The work of one run in its workspace. No process of the agent is left.
pub(super) struct WorkCollection<'a> {
    pub(super) plane: &'a ControlPlane,
    pub(super) job: &'a Job,
    pub(super) workspace: &'a Workspace,
    pub(super) notices: &'a mpsc::Sender<Notice>,
}

impl WorkCollection<'_> {
    /// Collects the work, unless the task is lost: then nobody reads the notices any more.
    pub(super) async fn run(&self) -> Option<Result<RunWork, WorkspaceError>> {
        if self.notices.is_closed() {
            return None;
        }
        let work = match self.workspace.collect_without_secrets(self.plane.mask()).await {
            Ok(work) => work,
            Err(error) => return Some(Err(error)),
        };
        self.report_omitted(&work.omitted).await;
        let bundle = match self.upload_bundle(&work).await {
            Ok(bundle) => bundle,
            Err(reason) => {
                let text =
                    format!("BUNDLE_OMITTED: the commits of the session are not delivered as a bundle: {reason}");
                let _ = self.notices.send(Notice::log("warning", &text)).await;
                None
            }
        };
        Some(Ok(RunWork { patch: work.patch, bundle }))
    }

    /// Names the changed files that are not delivered, so that nobody takes them for unchanged.
    async fn report_omitted(&self, omitted: &[OmittedFile]) {
        for file in omitted.iter().take(MOST_NAMED) {
            let _ = self.notices.send(Notice::log("warning", &describe_omission(file))).await;
        }
        if let Some(more) = omitted.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
            let text = format!("FILE_OMITTED: {more} more changed files are not delivered.");
            let _ = self.notices.send(Notice::log("warning", &text)).await;
        }
    }

    /// Uploads the commits, if there are any. The error is a clause for people.
    async fn upload_bundle(&self, work: &CollectedWork) -> Result<Option<Artifact>, String> {
        const SECRET: &str = "they hold the value of a secret of the session";
        let mask = self.plane.mask();
        if mask.occurs_in(work.patch.as_slice()).unwrap_or(true) {
            return Err(SECRET.to_owned());
        }
        let bundled = self.workspace.bundle_without_secrets(work, MOST_BYTES, mask).await;
        let content = match bundled.map_err(|error| error.to_string())? {
            WorkBundle::Written(content) => content,
            WorkBundle::Nothing => return Ok(None),
            WorkBundle::HasSecret => return Err(SECRET.to_owned()),
            WorkBundle::TooLarge { bytes } => {
                return Err(format!("it has {bytes} bytes, and a file may have {MOST_BYTES} here"));
            }
        };
        let task = &self.job.task.task_id;
        let sent = with_patience(|| self.plane.upload_unmasked(task, content.clone())).await;
        let sha256 = sent.map_err(|error| format!("it could not be uploaded: {error}"))?;
        Ok(Some(Artifact { path: BUNDLE.to_owned(), sha256, mime_type: "application/x-git-bundle" }))
    }
}

fn describe_omission(file: &OmittedFile) -> String {
    let reason = match file.reason {
        OmissionReason::TooLarge => "it is larger than one file may be",
        OmissionReason::TotalTooLarge => "with it, the changes would be larger than they may be in all",
        OmissionReason::Unreadable => "the agent took away the permission to read it",
        OmissionReason::Refused => "git does not store it, because of its name or its declared encoding",
        OmissionReason::NotText => "it is a link whose target is no UTF-8",
        OmissionReason::HasSecret => "it is binary, and it holds the value of a secret of the session, now or before",
    };
    format!(
        "FILE_OMITTED: {} ({} bytes) is not part of the delivered changes: {reason}.",
        file.path.display(),
        file.bytes
    )
}
