//! Results of rendering that several views build on.

use std::sync::Arc;

use crate::render::context::Render;
use crate::render::drawn::Rendering;
use crate::render::endpoints::Endpoints;

/// What has been rendered of a report so far.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    pub(crate) endpoints: Option<Arc<Endpoints>>,
    renderings: [Option<Arc<Rendering>>; 7],
}

/// A step on the way to several views.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stage {
    Processes,
    /// Without facts of images.
    Containers,
    /// With facts of images.
    NamedContainers,
    ContainersByImage,
    RunningContainers,
    Pods,
    EcsTasks,
}

impl Render<'_> {
    /// The rendering of this stage.
    pub(crate) fn stage(&mut self, stage: Stage) -> Arc<Rendering> {
        if let Some(done) = &self.stages.renderings[stage as usize] {
            return done.clone();
        }
        let rendering = Arc::new(match stage {
            Stage::Processes => self.processes(),
            Stage::Containers => self.containers(),
            Stage::NamedContainers => self.named_containers(),
            Stage::ContainersByImage => self.containers_by_image(),
            Stage::RunningContainers => self.running_containers(),
            Stage::Pods => self.pods(),
            Stage::EcsTasks => self.ecs_tasks(),
        });
        self.stages.renderings[stage as usize] = Some(rendering.clone());
        rendering
    }
}
