"""From the overrides of thousands of jobs to their configs: one full composition per structure, the rest patched.

Hydra composes the first of the jobs that share a `ConfigTemplate`. A structure that Hydra refuses is refused once,
with the same words for all its jobs.
"""

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from experiments.config.explain import explain
from experiments.errors import UserError
from experiments.sweeps.compose.config_template import ConfigTemplate, UnknownKey
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.literals import literal


class Composer:
    """Composes jobs. Lives as long as the sweep: sweepers of others launch many times."""

    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        self.loader, self.master = loader, master
        self._templates: dict[tuple, ConfigTemplate | str] = {}
        self._refused: dict[tuple, str] = {}

    def compose(self, job: Job) -> Job:
        """Fill in the job's template and literals, or its error."""
        read = [literal(o) for o in job.overrides]
        structure = tuple(o for o, known in zip(job.overrides, read, strict=True) if known is None)
        literals = {known.path: known.value for known in read if known is not None}
        template = self._template(structure, tuple(literals))
        if literals and not isinstance(template, str) and not template.simple:
            template, literals = self._template(job.overrides, ()), {}
        if isinstance(template, str):
            job.error = self._refusal(job, (structure, tuple(literals)), template)
            return job
        job.template, job.written = template, tuple(literals.values())
        try:
            job.config, job.values = template.typed(job.written)
            job.digest = template.hash(job.values)
        except UserError as error:
            job.error = str(error)
        return job

    def _template(self, structure: tuple[str, ...], paths: tuple[str, ...]) -> ConfigTemplate | str:
        """The template of a structure, or why Hydra refuses it."""
        at = (structure, paths)
        if at not in self._templates:
            try:
                composed = self.loader.load_sweep_config(self.master, list(structure))
                self._templates[at] = ConfigTemplate(composed, paths)
            except UnknownKey:
                self._templates[at] = "unknown key"
            except Exception as error:
                explained = explain(error)
                if explained is None:
                    raise
                self._templates[at] = str(explained)
        return self._templates[at]

    def _refusal(self, job: Job, at: tuple, reason: str) -> str:
        """Hydra's own words for jobs of this kind, found with the first of them."""
        if at not in self._refused:
            whole = self._template(job.overrides, ())
            self._refused[at] = whole if isinstance(whole, str) else reason
        return self._refused[at]
